-- Does a precision cost small models more than large ones?
--
-- The mean over the tasks at each model's last step, the smallest model first. Signs as in
-- degradation-by-step.sql. parameters are those of the checkpoint; unknown for imported results.
WITH latest AS (
  SELECT model, max(step) AS step FROM degradation GROUP BY model
)
SELECT
  c.parameters,
  d.model,
  d.step,
  d.precision,
  d.metric,
  round(d.baseline_value, 4) AS baseline_value,
  round(d.value, 4) AS value,
  round(d.rel_pct, 2) AS rel_pct
FROM degradation d
JOIN latest l ON l.model = d.model AND l.step = d.step
LEFT JOIN checkpoints c ON c.model = d.model AND c.step = d.step
WHERE d.task = 'mean' AND d.rel_pct IS NOT NULL
ORDER BY c.parameters NULLS LAST, d.model, d.metric, d.precision;
