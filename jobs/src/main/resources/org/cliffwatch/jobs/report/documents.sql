-- What imported logs say of the items that flipped.
SELECT s.task, s.doc_hash, min(d.arguments) AS arguments
FROM documents d
JOIN scores s
  ON s.model = d.model AND s.precision = d.precision AND s.step = d.step AND s.task = d.task AND s.item = d.item
JOIN flipped f ON f.task = s.task AND f.doc_hash = s.doc_hash
WHERE d.arguments IS NOT NULL
GROUP BY s.task, s.doc_hash
ORDER BY s.task, s.doc_hash
