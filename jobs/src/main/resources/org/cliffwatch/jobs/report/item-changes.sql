-- How far do single items' log-likelihoods move?
--
-- Nats against the baseline, of the right choice (the first where a task has none): quantiles over the items of
-- all steps. Rows without a model are over all models.
SELECT
  model,
  precision,
  task,
  items,
  mean,
  quantiles[0] AS p05,
  quantiles[1] AS p25,
  quantiles[2] AS median,
  quantiles[3] AS p75,
  quantiles[4] AS p95
FROM (
  SELECT
    model,
    precision,
    task,
    count(change) AS items,
    avg(change) AS mean,
    percentile_approx(change, array(0.05, 0.25, 0.5, 0.75, 0.95)) AS quantiles
  FROM (
    SELECT *, get(nats, coalesce(gold, 0)) - get(baseline_nats, coalesce(gold, 0)) AS change FROM compared
  )
  GROUP BY GROUPING SETS ((precision, task), (model, precision, task))
)
ORDER BY model NULLS FIRST, task, precision
