-- Which items does an int8 model lose: right in the baseline, wrong once weights and activations are int8?
--
-- A row an item of replica 0. doc_hash is the document's, whatever file it came from. One run's items are
-- one draw: README, "Why int8 scores of two programs differ".
SELECT
  q.model,
  q.step,
  q.precision,
  q.task,
  q.item,
  q.gold,
  b.chosen AS baseline_chose,
  q.chosen AS chose,
  q.doc_hash
FROM degradation d
JOIN scores q
  ON q.model = d.model AND q.precision = d.precision AND q.step = d.step AND q.task = d.task
  AND q.cell_id = d.cell_id
JOIN scores b
  ON b.model = d.model AND b.precision = d.baseline AND b.step = d.step AND b.task = d.task
  AND b.cell_id = d.baseline_cell_id
  AND b.item = q.item AND b.replica = q.replica
WHERE d.precision LIKE 'w8a8%' AND d.metric = 'acc' AND q.replica = 0 AND b.correct AND NOT q.correct
ORDER BY q.model, q.step, q.precision, q.task, q.item;
