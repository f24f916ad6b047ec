-- How far does each precision fall behind its baseline as training goes on?
--
-- The mean over the tasks, a row for each model, precision, metric and step. rel_pct is the change in
-- percent of the baseline's value, the mean of the tasks' own (for acc what Ahmadian et al. 2023 call
-- degradation); since_last_step is by how many points it moved. Accuracies: negative is worse;
-- perplexities: positive is worse.
SELECT
  model,
  precision,
  metric,
  step,
  baseline,
  round(baseline_value, 4) AS baseline_value,
  round(value, 4) AS value,
  round(rel_pct, 2) AS rel_pct,
  round(rel_pct - lag(rel_pct) OVER (PARTITION BY model, precision, metric ORDER BY step), 2) AS since_last_step
FROM degradation
WHERE task = 'mean' AND rel_pct IS NOT NULL
ORDER BY model, precision, metric, step;
