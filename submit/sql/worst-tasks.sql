-- Which tasks lose most by quantization?
--
-- A row for each task, precision and metric, over all models and steps, the worst first. change_pct is
-- rel_pct with its sign turned where lower values are better: negative is worse, whatever the metric.
-- lost and gained count items; significant counts checkpoints that are worse with p_adjusted < 0.05.
WITH changes AS (
  SELECT
    d.task,
    d.precision,
    d.metric,
    CASE WHEN m.higher_is_better THEN d.rel_pct ELSE -d.rel_pct END AS change_pct,
    d.p_adjusted,
    d.lost,
    d.gained
  FROM degradation d
  JOIN metrics m ON m.model = d.model AND m.cell_id = d.cell_id AND m.metric = d.metric
  WHERE d.rel_pct IS NOT NULL
)
SELECT
  task,
  precision,
  metric,
  count(*) AS checkpoints,
  round(avg(change_pct), 2) AS mean_change_pct,
  round(min(change_pct), 2) AS worst_change_pct,
  sum(CASE WHEN change_pct < 0 AND p_adjusted < 0.05 THEN 1 ELSE 0 END) AS significant,
  sum(lost) AS lost,
  sum(gained) AS gained
FROM changes
GROUP BY task, precision, metric
ORDER BY mean_change_pct, task, precision, metric
LIMIT 20;
