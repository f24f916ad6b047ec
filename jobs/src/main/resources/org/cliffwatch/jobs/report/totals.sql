-- What is here?
SELECT
  count(DISTINCT model) AS models,
  count(DISTINCT model, step) AS checkpoints,
  count(DISTINCT precision) AS precisions,
  count(DISTINCT task) AS tasks,
  count(DISTINCT cell_id) AS cells,
  count(DISTINCT CASE WHEN error IS NOT NULL THEN cell_id END) AS failed,
  (SELECT array_join(sort_array(collect_set(baseline)), ', ') FROM degradation) AS baselines,
  array_join(sort_array(collect_set(kernel)), ', ') AS kernels
FROM metrics
