-- Does a precision cost small models more than large ones?
--
-- The mean over the tasks at each model's last step, the smallest model first.
WITH latest AS (
  SELECT model, max(step) AS step FROM degradation GROUP BY model
)
SELECT
  d.model, c.parameters, d.step, d.precision, d.metric, d.baseline, d.baseline_value, d.value,
  d.rel_pct, d.rel_pct_low, d.rel_pct_high
FROM degradation d
JOIN latest l ON l.model = d.model AND l.step = d.step
LEFT JOIN checkpoints c ON c.model = d.model AND c.step = d.step
WHERE d.task = 'mean' AND d.rel_pct IS NOT NULL
ORDER BY c.parameters NULLS LAST, d.model, d.metric, d.precision
