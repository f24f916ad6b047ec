-- Which cells took longest?
--
-- thread_seconds is what scoring took, summed over the threads: replicas times items, at items_per_second,
-- which is a thread's rate. Cells that were imported, or whose speed was not measured, are left out.
SELECT
  model,
  step,
  precision,
  task,
  max(items) AS items,
  max(replicas) AS replicas,
  round(max(items_per_second), 1) AS items_per_second,
  round(max(tokens_per_second), 1) AS tokens_per_second,
  round(max(items * replicas / items_per_second), 1) AS thread_seconds,
  kernel
FROM metrics
WHERE items_per_second > 0
GROUP BY model, step, precision, task, cell_id, kernel
ORDER BY thread_seconds DESC, model, step, precision, task
LIMIT 20;
