-- Every number, and where it comes from.
--
-- run_id is the last run that planned the cell: it scored it, or found it committed. Imported cells have none.
WITH planned AS (
  SELECT m.run_id, m.started, m.code_version, m.model, m.step, p.precision, t.task
  FROM planned_models m
  JOIN planned_precisions p ON p.run_id = m.run_id
  JOIN planned_tasks t ON t.run_id = m.run_id
), cells AS (
  SELECT
    c.cell_id,
    max_by(p.run_id, p.started) AS run_id,
    max_by(p.code_version, p.started) AS code_version
  FROM (SELECT DISTINCT model, step, precision, task, cell_id FROM metrics) c
  JOIN planned p
    ON p.model = c.model AND p.precision = c.precision AND p.task = c.task AND coalesce(p.step, c.step) = c.step
  GROUP BY c.cell_id
)
SELECT
  m.model, m.step, m.precision, m.task, m.metric, m.value, m.stderr, m.ci_low, m.ci_high, d.rel_pct, d.p_adjusted,
  m.items, m.failed, m.replicas, m.rounding_sd, m.kernel, m.task_version, m.task_hash, m.comparable_key, m.cell_id,
  c.run_id, c.code_version
FROM metrics m
LEFT JOIN degradation d
  ON d.model = m.model AND d.step = m.step AND d.precision = m.precision AND d.task = m.task AND d.metric = m.metric
LEFT JOIN cells c ON c.cell_id = m.cell_id
ORDER BY m.model, m.step, m.precision, m.task, m.metric
