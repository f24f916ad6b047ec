-- How many answers turn, and which way?
SELECT
  model,
  step,
  precision,
  task,
  baseline,
  count(*) AS items,
  count_if(baseline_correct AND NOT correct) AS lost,
  count_if(correct AND NOT baseline_correct) AS gained,
  count_if(NOT chosen <=> baseline_chosen AND baseline_correct <=> correct) AS wrong_otherwise
FROM compared
GROUP BY model, step, precision, task, baseline
ORDER BY model, step, precision, task
