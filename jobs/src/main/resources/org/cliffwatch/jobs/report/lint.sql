-- What makes a number less comparable than it looks?
--
-- A row for each task and kind of finding: in how many cells, how many items at most, and one to look at.
WITH cells AS (
  SELECT
    model,
    step,
    precision,
    task,
    count(*) AS items,
    count_if(status <> 'ok') AS rejected,
    min(CASE WHEN status <> 'ok' THEN item END) AS first_rejected,
    count_if(truncated) AS truncated,
    min(CASE WHEN truncated THEN item END) AS first_truncated,
    count_if(straddled) AS straddled,
    min(CASE WHEN straddled THEN item END) AS first_straddled,
    count_if(tied) AS tied,
    min(CASE WHEN tied THEN item END) AS first_tied
  FROM (
    SELECT *, size(nats) > 1 AND get(sort_array(nats, false), 0) = get(sort_array(nats, false), 1) AS tied FROM items
  )
  GROUP BY model, step, precision, task
), found AS (
  SELECT
    model, step, precision, task, items,
    stack(4,
      'cannot be read or scored, and are left out', rejected, first_rejected,
      'lost the left end of their context to fit the model''s window', truncated, first_truncated,
      'have a token that spans context and continuation', straddled, first_straddled,
      'have a tie for the likeliest choice, which the first of them wins', tied, first_tied
    ) AS (finding, affected, first)
  FROM cells
)
SELECT
  task,
  concat('items ', finding) AS finding,
  count(*) AS cells,
  max(affected) AS items,
  max(items) AS of_items,
  min_by(concat_ws(' ', model, 'step', step, precision, 'item', first), struct(model, step, precision)) AS example
FROM found
WHERE affected > 0
GROUP BY task, finding
UNION ALL
SELECT
  task,
  concat('values are made of ', array_join(sort_array(collect_set(items)), ', '), ' items in different cells'),
  count(DISTINCT cell_id),
  NULL,
  NULL,
  NULL
FROM metrics
WHERE value IS NOT NULL
GROUP BY task
HAVING count(DISTINCT items) > 1
UNION ALL
SELECT
  task,
  'values of different comparable_key, which may not be compared with each other',
  count(DISTINCT cell_id),
  NULL,
  NULL,
  NULL
FROM metrics
GROUP BY task
HAVING count(DISTINCT comparable_key) > 1
UNION ALL
SELECT
  NULL,
  CASE
    WHEN p.bos = 'never' THEN 'the tokenizer begins a text with BOS and bos: never leaves it out'
    ELSE 'the tokenizer begins no text with BOS and bos: always puts it there'
  END AS finding,
  NULL,
  NULL,
  NULL,
  min(concat_ws(' ', c.model, 'step', c.step))
FROM checkpoints c
JOIN planned_models p ON p.model = c.model AND coalesce(p.step, c.step) = c.step
WHERE (p.bos = 'never' AND c.adds_bos) OR (p.bos = 'always' AND NOT c.adds_bos)
GROUP BY p.bos
ORDER BY finding, task
