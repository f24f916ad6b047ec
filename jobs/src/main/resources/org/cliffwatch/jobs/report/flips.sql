-- Which items are answered otherwise than at the baseline precision?
--
-- Of every cell the flips that turned furthest, then of all cells the next furthest, and so on. turned_by is
-- in nats: from how far the baseline's choice was ahead of the new one to how far it is behind; for a single
-- continuation how far its log-likelihood moved.
WITH flips AS (
  SELECT
    *,
    CASE
      WHEN baseline_correct AND NOT correct THEN 'lost'
      WHEN correct AND NOT baseline_correct THEN 'gained'
      ELSE 'wrong otherwise'
    END AS kind,
    CASE
      WHEN chosen <=> baseline_chosen THEN abs(get(nats, 0) - get(baseline_nats, 0))
      ELSE get(nats, chosen) - get(nats, baseline_chosen) + get(baseline_nats, baseline_chosen) - get(baseline_nats, chosen)
    END AS turned_by
  FROM compared
  WHERE NOT chosen <=> baseline_chosen OR NOT correct <=> baseline_correct
), ranked AS (
  SELECT *, row_number() OVER (PARTITION BY model, step, precision, task ORDER BY turned_by DESC, item) AS place
  FROM flips
)
SELECT
  model, step, precision, task, item, baseline, kind, turned_by, gold, baseline_chosen, chosen,
  baseline_correct, correct, baseline_nats, nats, doc_hash
FROM ranked
ORDER BY place, turned_by DESC, model, step, precision, task
