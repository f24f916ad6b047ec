-- Which runs wrote here, the last first?
SELECT
  run_id, started, finished, suite, code_version, spark_version, java_version, machine, cpu, isa, backend,
  cells_planned, cells_scored, cells_reused, cells_failed, exit_code, configuration
FROM runs
ORDER BY started DESC, run_id
