-- How far does each precision fall behind its baseline as training goes on?
--
-- The mean over the tasks. rel_pct is the mean of the tasks' own changes in percent of the baseline's value, with
-- a 95 % interval of a bootstrap over items. Accuracies: negative is worse; perplexities: positive is worse.
SELECT
  model, precision, metric, step, baseline, baseline_value, value, rel_pct, rel_pct_low, rel_pct_high, items
FROM degradation
WHERE task = 'mean' AND rel_pct IS NOT NULL
ORDER BY model, precision, metric, step
