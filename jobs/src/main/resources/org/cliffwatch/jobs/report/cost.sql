-- What does each precision cost in speed and memory, and what is left of the quality?
--
-- At each model's last step, a row for each metric with the mean over its tasks; models and precisions that lack one
-- of the tasks are left out. tokens_per_second is of a thread, over all tasks. weight_bytes counts the weights as a
-- precision holds them, about: without scales and padding. efficient says that nothing smaller is as good.
WITH latest AS (
  SELECT model, max(step) AS step FROM metrics GROUP BY model
), quality AS (
  SELECT
    m.model,
    m.step,
    m.precision,
    m.metric,
    max(m.higher_is_better) AS higher_is_better,
    avg(m.value) AS value,
    count(*) AS tasks,
    sum(m.tokens_per_second * m.items / nullif(m.items_per_second, 0))
      / nullif(sum(m.items / nullif(m.items_per_second, 0)), 0) AS tokens_per_second
  FROM metrics m
  JOIN latest l ON l.model = m.model AND l.step = m.step
  WHERE m.value IS NOT NULL AND m.metric NOT IN ('kl', 'top1_agreement')
  GROUP BY m.model, m.step, m.precision, m.metric
), whole AS (
  SELECT *, max(tasks) OVER (PARTITION BY metric) AS most_tasks FROM quality
), sized AS (
  SELECT
    w.model,
    w.step,
    w.precision,
    w.metric,
    w.value,
    CASE WHEN w.higher_is_better THEN w.value ELSE -w.value END AS goodness,
    w.tasks,
    w.tokens_per_second,
    c.parameters,
    CASE
      WHEN p.weight_bits = 0 THEN c.bytes
      ELSE (c.quantized_parameters * p.weight_bits + c.kept_parameters * p.compute_bits) / 8
    END AS weight_bytes
  FROM whole w
  LEFT JOIN checkpoints c ON c.model = w.model AND c.step = w.step
  LEFT JOIN precisions p ON p.precision = w.precision
  WHERE w.tasks = w.most_tasks
)
SELECT
  model,
  step,
  precision,
  metric,
  value,
  tasks,
  tokens_per_second,
  parameters,
  weight_bytes,
  weight_bytes IS NOT NULL AND goodness > coalesce(
    max(goodness) OVER (
      PARTITION BY metric ORDER BY weight_bytes NULLS LAST, goodness DESC, model, precision
      ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING),
    double('-infinity')) AS efficient
FROM sized
ORDER BY metric, weight_bytes NULLS LAST, model, precision
