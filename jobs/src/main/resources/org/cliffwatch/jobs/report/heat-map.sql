-- Which tasks does each precision cost most?
--
-- At each model's last step. change_pct is rel_pct with its sign turned where lower values are better: negative is
-- worse, whatever the metric. Rows without a model are the mean over models; significant counts those that are
-- worse with p_adjusted < 0.05.
WITH latest AS (
  SELECT model, max(step) AS step FROM degradation GROUP BY model
), changes AS (
  SELECT
    d.model,
    d.precision,
    d.task,
    d.metric,
    CASE WHEN m.higher_is_better THEN d.rel_pct ELSE -d.rel_pct END AS change_pct,
    d.p_adjusted
  FROM degradation d
  JOIN latest l ON l.model = d.model AND l.step = d.step
  JOIN metrics m ON m.model = d.model AND m.cell_id = d.cell_id AND m.metric = d.metric
  WHERE d.rel_pct IS NOT NULL
)
SELECT
  model,
  precision,
  task,
  metric,
  avg(change_pct) AS change_pct,
  min(change_pct) AS worst_pct,
  count(*) AS models,
  count_if(change_pct < 0 AND p_adjusted < 0.05) AS significant
FROM changes
GROUP BY GROUPING SETS ((precision, task, metric), (model, precision, task, metric))
ORDER BY model NULLS FIRST, metric, task, precision
