-- What changed between two runs?
--
--   submit/sql.sh --tables NEW --before OLD -f submit/sql/two-runs.sql
--
-- The largest changes first; cells that are the same in both are left out. "not comparable": the data, the
-- task's definition or the prompt differ, so that the change means nothing. "comparable" int8 values of
-- two kernels still differ by rounding: compare over replicas. Without --before everything is new.
SELECT
  model,
  step,
  precision,
  task,
  metric,
  round(o.value, 4) AS value_before,
  round(n.value, 4) AS value_now,
  round(n.value - o.value, 4) AS difference,
  CASE
    WHEN o.cell_id IS NULL THEN 'new'
    WHEN n.cell_id IS NULL THEN 'gone'
    WHEN n.comparable_key = o.comparable_key THEN 'comparable'
    ELSE 'not comparable'
  END AS status
FROM metrics n
FULL OUTER JOIN before.metrics o USING (model, step, precision, task, metric)
WHERE n.cell_id IS NULL OR o.cell_id IS NULL OR n.cell_id <> o.cell_id
ORDER BY abs(n.value - o.value) DESC NULLS LAST, model, step, precision, task, metric;
