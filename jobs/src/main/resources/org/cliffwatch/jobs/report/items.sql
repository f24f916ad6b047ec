-- Every item of every cell, replica 0, with what the statements ask of its choices.
SELECT
  model,
  step,
  precision,
  task,
  cell_id,
  item,
  doc_hash,
  gold,
  chosen,
  correct,
  status,
  choices.loglikelihood AS nats,
  exists(choices.truncated, c -> c) AS truncated,
  exists(choices.straddled, c -> c) AS straddled
FROM scores
WHERE replica = 0
