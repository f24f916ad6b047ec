-- Which cells failed, and why?
SELECT model, step, array_join(sort_array(collect_set(concat(precision, ' ', task))), ', ') AS cells, error
FROM metrics
WHERE error IS NOT NULL
GROUP BY model, step, error
ORDER BY model, step, error
