-- What does each precision cost, task by task?
--
-- A row for each task, metric and precision at each model's last step, the best value first. rel_pct with its 95 %
-- interval is paired by item with the baseline, as is p_adjusted; rounding_sd is there with replicas alone.
-- items_per_second is a thread's.
WITH latest AS (
  SELECT model, max(step) AS step FROM metrics GROUP BY model
)
SELECT
  m.model,
  m.step,
  m.task,
  m.metric,
  m.precision,
  m.items,
  round(m.value, 4) AS value,
  round(d.rel_pct, 2) AS rel_pct,
  round(d.rel_pct_low, 2) AS low,
  round(d.rel_pct_high, 2) AS high,
  round(d.p_adjusted, 4) AS p_adjusted,
  d.lost,
  d.gained,
  round(m.rounding_sd, 5) AS rounding_sd,
  round(m.items_per_second, 2) AS items_per_second
FROM metrics m
JOIN latest l ON l.model = m.model AND l.step = m.step
LEFT JOIN degradation d ON d.model = m.model AND d.cell_id = m.cell_id AND d.metric = m.metric
WHERE m.value IS NOT NULL
ORDER BY
  m.model,
  m.task,
  m.metric,
  CASE WHEN m.higher_is_better THEN -m.value ELSE m.value END,
  m.precision;
