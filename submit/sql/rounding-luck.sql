-- How much of a precision's accuracy is the luck of rounding?
--
-- A row for each cell of several replicas and each accuracy at each model's last step. value is the mean over replicas
-- and rounding_sd their spread; turned counts the items whose answer is not the same in all of them: README, "Why int8
-- scores of two programs differ".
WITH latest AS (
  SELECT model, max(step) AS step FROM metrics GROUP BY model
),
answers AS (
  SELECT
    model, precision, step, task, cell_id, item,
    min(chosen) <> max(chosen) OR min(correct) <> max(correct) AS turned,
    min(chosen_norm) <> max(chosen_norm) OR min(correct_norm) <> max(correct_norm) AS turned_norm
  FROM scores
  WHERE status = 'ok'
  GROUP BY model, precision, step, task, cell_id, item
)
SELECT
  m.model,
  m.step,
  m.task,
  m.metric,
  m.precision,
  m.replicas,
  round(m.value, 4) AS value,
  round(m.rounding_sd, 5) AS rounding_sd,
  m.items,
  count(CASE WHEN m.metric = 'acc' AND a.turned OR m.metric = 'acc_norm' AND a.turned_norm THEN 1 END) AS turned
FROM metrics m
JOIN latest l ON l.model = m.model AND l.step = m.step
JOIN answers a
  ON a.model = m.model AND a.precision = m.precision AND a.step = m.step AND a.task = m.task AND a.cell_id = m.cell_id
WHERE m.metric IN ('acc', 'acc_norm') AND m.replicas > 1 AND m.value IS NOT NULL
GROUP BY m.model, m.step, m.task, m.metric, m.precision, m.replicas, m.value, m.rounding_sd, m.items
ORDER BY m.model, m.task, m.metric, m.rounding_sd DESC, m.precision;
