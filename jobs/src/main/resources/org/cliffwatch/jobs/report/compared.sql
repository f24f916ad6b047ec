-- Every item beside the same item at the baseline precision.
WITH cells AS (
  SELECT DISTINCT model, step, precision, task, baseline, cell_id, baseline_cell_id
  FROM degradation
  WHERE cell_id IS NOT NULL
)
SELECT
  c.model,
  c.step,
  c.precision,
  c.task,
  c.baseline,
  q.item,
  q.doc_hash,
  q.gold,
  b.chosen AS baseline_chosen,
  q.chosen,
  b.correct AS baseline_correct,
  q.correct,
  b.nats AS baseline_nats,
  q.nats
FROM cells c
JOIN items q
  ON q.model = c.model AND q.step = c.step AND q.precision = c.precision AND q.task = c.task AND q.cell_id = c.cell_id
JOIN items b
  ON b.model = c.model AND b.step = c.step AND b.precision = c.baseline AND b.task = c.task
  AND b.cell_id = c.baseline_cell_id AND b.item = q.item
WHERE q.status = 'ok' AND b.status = 'ok'
