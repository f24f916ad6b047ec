-- How far are the next-token distributions from the baseline's?
--
-- At each model's last step: mean over the scored tokens of KL(baseline ‖ precision), nats, and the share of tokens
-- at which both find the same token likeliest.
WITH latest AS (
  SELECT model, max(step) AS step FROM metrics GROUP BY model
)
SELECT
  m.model,
  m.step,
  m.precision,
  m.task,
  max(CASE WHEN m.metric = 'kl' THEN m.value END) AS kl,
  max(CASE WHEN m.metric = 'top1_agreement' THEN m.value END) AS top1_agreement
FROM metrics m
JOIN latest l ON l.model = m.model AND l.step = m.step
WHERE m.metric IN ('kl', 'top1_agreement') AND m.value IS NOT NULL
GROUP BY m.model, m.step, m.precision, m.task
ORDER BY m.model, m.task, m.precision
