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
    m.model, m.step, m.task, m.metric, m.precision, m.replicas, m.value, m.rounding_sd, m.items, s.item,
    CASE m.metric
      WHEN 'acc' THEN min(s.chosen) <> max(s.chosen) OR min(s.correct) <> max(s.correct)
      ELSE min(s.chosen_norm) <> max(s.chosen_norm) OR min(s.correct_norm) <> max(s.correct_norm)
    END AS turned
  FROM metrics m
  JOIN latest l ON l.model = m.model AND l.step = m.step
  JOIN scores s
    ON s.model = m.model AND s.precision = m.precision AND s.step = m.step AND s.task = m.task
    AND s.cell_id = m.cell_id
  WHERE m.metric IN ('acc', 'acc_norm') AND m.replicas > 1 AND m.value IS NOT NULL AND s.status = 'ok'
  GROUP BY m.model, m.step, m.task, m.metric, m.precision, m.replicas, m.value, m.rounding_sd, m.items, s.item
)
SELECT
  a.model,
  a.step,
  a.task,
  a.metric,
  a.precision,
  a.replicas,
  round(a.value, 4) AS value,
  round(a.rounding_sd, 5) AS rounding_sd,
  a.items,
  count(CASE WHEN a.turned THEN 1 END) AS turned
FROM answers a
GROUP BY a.model, a.step, a.task, a.metric, a.precision, a.replicas, a.value, a.rounding_sd, a.items
ORDER BY a.model, a.task, a.metric, a.rounding_sd DESC, a.precision;
