-- What did the gate decide?
--
-- The last run that has verdicts.
WITH last AS (
  SELECT max_by(v.run_id, coalesce(r.started, '')) AS run_id
  FROM (SELECT DISTINCT run_id FROM verdicts) v
  LEFT JOIN runs r ON r.run_id = v.run_id
)
SELECT
  v.outcome, v.rule, v.model, v.precision, v.step, v.task, v.value, v.margin, v.p_adjusted, v.minimum_detectable,
  v.reason, v.run_id
FROM verdicts v
JOIN last ON last.run_id = v.run_id
ORDER BY
  CASE v.outcome WHEN 'fail' THEN 0 WHEN 'incomparable' THEN 1 WHEN 'inconclusive' THEN 2 ELSE 3 END,
  v.rule, v.model, v.step, v.precision, v.task
