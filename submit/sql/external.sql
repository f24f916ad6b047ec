-- The tables of an output folder, declared for other engines.
--
-- Each section is a file of its own once DIR, the folder, is put in. For DuckDB, say:
--
--   sed -n '/^-- begin duckdb/,/^-- end duckdb/p' submit/sql/external.sql | sed "s|'DIR/|'$PWD/out/|" > out.sql
--
-- A test executes the sections spark and duckdb, has Spark's parser read the section athena, and holds the
-- columns of all four equal to what is written. Sections athena and trino were never executed.
-- Leave out what your folder lacks: documents is there after tasks.sh import-lm-eval only, verdicts and accepted
-- after nightly.sh, analysis after analyse.sh.

-- begin spark
CREATE TABLE accepted (
  accepted_at string,
  accepted_by string,
  reason string,
  suite string,
  cpu string,
  model string,
  precision string,
  step bigint,
  task string,
  cell_id string,
  scores string,
  comparable_key string,
  comparable_parts string,
  kernel string,
  replicas int,
  tokens_per_second double,
  error string,
  run_id string
)
USING parquet PARTITIONED BY (run_id) LOCATION 'DIR/accepted';

MSCK REPAIR TABLE accepted;

CREATE TABLE analysis (
  layer int,
  projection string,
  quantity string,
  precision string,
  value double,
  identity string,
  calibration string,
  kernel string,
  seed bigint,
  model string,
  step bigint
)
USING parquet PARTITIONED BY (model, step) LOCATION 'DIR/analysis';

MSCK REPAIR TABLE analysis;

CREATE TABLE checkpoints (
  step bigint,
  uri string,
  identity string,
  family string,
  parameters bigint,
  quantized_parameters bigint,
  kept_parameters bigint,
  quantization string,
  bytes bigint,
  context int,
  adds_bos boolean,
  tokenizer string,
  files array<struct<name:string,size:bigint,modified:bigint>>,
  read_at bigint,
  model string
)
USING parquet PARTITIONED BY (model) LOCATION 'DIR/checkpoints';

MSCK REPAIR TABLE checkpoints;

CREATE TABLE degradation (
  precision string,
  step bigint,
  task string,
  metric string,
  baseline string,
  baseline_value double,
  value double,
  abs_pp double,
  rel_pct double,
  rel_pct_low double,
  rel_pct_high double,
  p_value double,
  p_adjusted double,
  gained bigint,
  lost bigint,
  rounding_sd double,
  items bigint,
  cell_id string,
  baseline_cell_id string,
  seed bigint,
  model string
)
USING parquet PARTITIONED BY (model) LOCATION 'DIR/degradation';

MSCK REPAIR TABLE degradation;

CREATE TABLE documents (
  item int,
  doc string,
  target string,
  arguments string,
  prompt_hash string,
  target_hash string,
  model string,
  precision string,
  step bigint,
  task string
)
USING parquet PARTITIONED BY (model, precision, step, task) LOCATION 'DIR/documents';

MSCK REPAIR TABLE documents;

CREATE TABLE metrics (
  precision string,
  step bigint,
  cell_id string,
  task string,
  metric string,
  higher_is_better boolean,
  value double,
  stderr double,
  ci_low double,
  ci_high double,
  replicas int,
  rounding_sd double,
  items bigint,
  failed bigint,
  items_per_second double,
  tokens_per_second double,
  kernel string,
  task_version string,
  task_hash string,
  comparable_key string,
  comparable_parts string,
  error string,
  model string
)
USING parquet PARTITIONED BY (model) LOCATION 'DIR/metrics';

MSCK REPAIR TABLE metrics;

CREATE TABLE runs (
  started string,
  finished string,
  suite string,
  configuration string,
  code_version string,
  spark_version string,
  java_version string,
  machine string,
  cpu string,
  isa string,
  backend string,
  cells_planned int,
  cells_scored int,
  cells_reused int,
  cells_failed int,
  exit_code int,
  run_id string
)
USING parquet PARTITIONED BY (run_id) LOCATION 'DIR/runs';

MSCK REPAIR TABLE runs;

CREATE TABLE scores (
  cell_id string,
  replica int,
  item int,
  doc_hash string,
  gold int,
  chosen int,
  chosen_norm int,
  chosen_bytes int,
  correct boolean,
  correct_norm boolean,
  choices array<struct<loglikelihood:double,tokens:int,characters:int,words:int,bytes:int,greedy:boolean,truncated:boolean,straddled:boolean,kl:double,top1_agreed:int,right_answer:boolean>>,
  status string,
  error string,
  model string,
  precision string,
  step bigint,
  task string
)
USING parquet PARTITIONED BY (model, precision, step, task) LOCATION 'DIR/scores';

MSCK REPAIR TABLE scores;

CREATE TABLE verdicts (
  rule string,
  level string,
  model string,
  precision string,
  step bigint,
  task string,
  metric string,
  unit string,
  outcome string,
  value double,
  low double,
  high double,
  margin double,
  p_value double,
  p_adjusted double,
  minimum_detectable double,
  items bigint,
  baseline_run string,
  reason string,
  run_id string
)
USING parquet PARTITIONED BY (run_id) LOCATION 'DIR/verdicts';

MSCK REPAIR TABLE verdicts;

-- end spark

-- begin duckdb
CREATE VIEW accepted AS
SELECT *
FROM read_parquet(
  'DIR/accepted/*/*.parquet',
  hive_partitioning = true,
  hive_types = {'run_id': VARCHAR},
  union_by_name = true
);

CREATE VIEW analysis AS
SELECT *
FROM read_parquet(
  'DIR/analysis/*/*/*.parquet',
  hive_partitioning = true,
  hive_types = {'model': VARCHAR, 'step': BIGINT},
  union_by_name = true
);

CREATE VIEW checkpoints AS
SELECT *
FROM read_parquet(
  'DIR/checkpoints/*/*.parquet',
  hive_partitioning = true,
  hive_types = {'model': VARCHAR},
  union_by_name = true
);

CREATE VIEW degradation AS
SELECT *
FROM read_parquet(
  'DIR/degradation/*/*.parquet',
  hive_partitioning = true,
  hive_types = {'model': VARCHAR},
  union_by_name = true
);

CREATE VIEW documents AS
SELECT *
FROM read_parquet(
  'DIR/documents/*/*/*/*/*.parquet',
  hive_partitioning = true,
  hive_types = {'model': VARCHAR, 'precision': VARCHAR, 'step': BIGINT, 'task': VARCHAR},
  union_by_name = true
);

CREATE VIEW metrics AS
SELECT *
FROM read_parquet(
  'DIR/metrics/*/*.parquet',
  hive_partitioning = true,
  hive_types = {'model': VARCHAR},
  union_by_name = true
);

CREATE VIEW runs AS
SELECT *
FROM read_parquet(
  'DIR/runs/*/*.parquet',
  hive_partitioning = true,
  hive_types = {'run_id': VARCHAR},
  union_by_name = true
);

CREATE VIEW scores AS
SELECT *
FROM read_parquet(
  'DIR/scores/*/*/*/*/*.parquet',
  hive_partitioning = true,
  hive_types = {'model': VARCHAR, 'precision': VARCHAR, 'step': BIGINT, 'task': VARCHAR},
  union_by_name = true
);

CREATE VIEW verdicts AS
SELECT *
FROM read_parquet(
  'DIR/verdicts/*/*.parquet',
  hive_partitioning = true,
  hive_types = {'run_id': VARCHAR},
  union_by_name = true
);

-- end duckdb

-- begin athena
CREATE EXTERNAL TABLE accepted (
  accepted_at string,
  accepted_by string,
  reason string,
  suite string,
  cpu string,
  model string,
  `precision` string,
  step bigint,
  task string,
  cell_id string,
  scores string,
  comparable_key string,
  comparable_parts string,
  kernel string,
  replicas int,
  tokens_per_second double,
  error string
)
PARTITIONED BY (
  run_id string
)
STORED AS PARQUET LOCATION 'DIR/accepted';

MSCK REPAIR TABLE accepted;

CREATE EXTERNAL TABLE analysis (
  layer int,
  projection string,
  quantity string,
  precision string,
  value double,
  identity string,
  calibration string,
  kernel string,
  seed bigint
)
PARTITIONED BY (
  model string,
  step bigint
)
STORED AS PARQUET LOCATION 'DIR/analysis';

MSCK REPAIR TABLE analysis;

CREATE EXTERNAL TABLE checkpoints (
  step bigint,
  uri string,
  identity string,
  family string,
  parameters bigint,
  quantized_parameters bigint,
  kept_parameters bigint,
  quantization string,
  bytes bigint,
  context int,
  adds_bos boolean,
  tokenizer string,
  files array<struct<name:string,size:bigint,modified:bigint>>,
  read_at bigint
)
PARTITIONED BY (
  model string
)
STORED AS PARQUET LOCATION 'DIR/checkpoints';

MSCK REPAIR TABLE checkpoints;

CREATE EXTERNAL TABLE degradation (
  `precision` string,
  step bigint,
  task string,
  metric string,
  baseline string,
  baseline_value double,
  value double,
  abs_pp double,
  rel_pct double,
  rel_pct_low double,
  rel_pct_high double,
  p_value double,
  p_adjusted double,
  gained bigint,
  lost bigint,
  rounding_sd double,
  items bigint,
  cell_id string,
  baseline_cell_id string,
  seed bigint
)
PARTITIONED BY (
  model string
)
STORED AS PARQUET LOCATION 'DIR/degradation';

MSCK REPAIR TABLE degradation;

CREATE EXTERNAL TABLE documents (
  item int,
  doc string,
  target string,
  arguments string,
  prompt_hash string,
  target_hash string
)
PARTITIONED BY (
  model string,
  `precision` string,
  step bigint,
  task string
)
STORED AS PARQUET LOCATION 'DIR/documents';

MSCK REPAIR TABLE documents;

CREATE EXTERNAL TABLE metrics (
  `precision` string,
  step bigint,
  cell_id string,
  task string,
  metric string,
  higher_is_better boolean,
  value double,
  stderr double,
  ci_low double,
  ci_high double,
  replicas int,
  rounding_sd double,
  items bigint,
  failed bigint,
  items_per_second double,
  tokens_per_second double,
  kernel string,
  task_version string,
  task_hash string,
  comparable_key string,
  comparable_parts string,
  error string
)
PARTITIONED BY (
  model string
)
STORED AS PARQUET LOCATION 'DIR/metrics';

MSCK REPAIR TABLE metrics;

CREATE EXTERNAL TABLE runs (
  started string,
  finished string,
  suite string,
  configuration string,
  code_version string,
  spark_version string,
  java_version string,
  machine string,
  cpu string,
  isa string,
  backend string,
  cells_planned int,
  cells_scored int,
  cells_reused int,
  cells_failed int,
  exit_code int
)
PARTITIONED BY (
  run_id string
)
STORED AS PARQUET LOCATION 'DIR/runs';

MSCK REPAIR TABLE runs;

CREATE EXTERNAL TABLE scores (
  cell_id string,
  replica int,
  item int,
  doc_hash string,
  gold int,
  chosen int,
  chosen_norm int,
  chosen_bytes int,
  correct boolean,
  correct_norm boolean,
  choices array<struct<loglikelihood:double,tokens:int,characters:int,words:int,bytes:int,greedy:boolean,truncated:boolean,straddled:boolean,kl:double,top1_agreed:int,right_answer:boolean>>,
  status string,
  error string
)
PARTITIONED BY (
  model string,
  `precision` string,
  step bigint,
  task string
)
STORED AS PARQUET LOCATION 'DIR/scores';

MSCK REPAIR TABLE scores;

CREATE EXTERNAL TABLE verdicts (
  rule string,
  level string,
  model string,
  `precision` string,
  step bigint,
  task string,
  metric string,
  unit string,
  outcome string,
  value double,
  low double,
  high double,
  margin double,
  p_value double,
  p_adjusted double,
  minimum_detectable double,
  items bigint,
  baseline_run string,
  reason string
)
PARTITIONED BY (
  run_id string
)
STORED AS PARQUET LOCATION 'DIR/verdicts';

MSCK REPAIR TABLE verdicts;

-- end athena

-- begin trino
CREATE TABLE accepted (
  accepted_at varchar,
  accepted_by varchar,
  reason varchar,
  suite varchar,
  cpu varchar,
  model varchar,
  precision varchar,
  step bigint,
  task varchar,
  cell_id varchar,
  scores varchar,
  comparable_key varchar,
  comparable_parts varchar,
  kernel varchar,
  replicas integer,
  tokens_per_second double,
  error varchar,
  run_id varchar
)
WITH (
  format = 'PARQUET',
  external_location = 'DIR/accepted',
  partitioned_by = ARRAY['run_id']
);

CALL system.sync_partition_metadata(schema_name => 'cliffwatch', table_name => 'accepted', mode => 'FULL');

CREATE TABLE analysis (
  layer integer,
  projection varchar,
  quantity varchar,
  precision varchar,
  value double,
  identity varchar,
  calibration varchar,
  kernel varchar,
  seed bigint,
  model varchar,
  step bigint
)
WITH (
  format = 'PARQUET',
  external_location = 'DIR/analysis',
  partitioned_by = ARRAY['model', 'step']
);

CALL system.sync_partition_metadata(schema_name => 'cliffwatch', table_name => 'analysis', mode => 'FULL');

CREATE TABLE checkpoints (
  step bigint,
  uri varchar,
  identity varchar,
  family varchar,
  parameters bigint,
  quantized_parameters bigint,
  kept_parameters bigint,
  quantization varchar,
  bytes bigint,
  context integer,
  adds_bos boolean,
  tokenizer varchar,
  files array(row(name varchar, size bigint, modified bigint)),
  read_at bigint,
  model varchar
)
WITH (
  format = 'PARQUET',
  external_location = 'DIR/checkpoints',
  partitioned_by = ARRAY['model']
);

CALL system.sync_partition_metadata(schema_name => 'cliffwatch', table_name => 'checkpoints', mode => 'FULL');

CREATE TABLE degradation (
  precision varchar,
  step bigint,
  task varchar,
  metric varchar,
  baseline varchar,
  baseline_value double,
  value double,
  abs_pp double,
  rel_pct double,
  rel_pct_low double,
  rel_pct_high double,
  p_value double,
  p_adjusted double,
  gained bigint,
  lost bigint,
  rounding_sd double,
  items bigint,
  cell_id varchar,
  baseline_cell_id varchar,
  seed bigint,
  model varchar
)
WITH (
  format = 'PARQUET',
  external_location = 'DIR/degradation',
  partitioned_by = ARRAY['model']
);

CALL system.sync_partition_metadata(schema_name => 'cliffwatch', table_name => 'degradation', mode => 'FULL');

CREATE TABLE documents (
  item integer,
  doc varchar,
  target varchar,
  arguments varchar,
  prompt_hash varchar,
  target_hash varchar,
  model varchar,
  precision varchar,
  step bigint,
  task varchar
)
WITH (
  format = 'PARQUET',
  external_location = 'DIR/documents',
  partitioned_by = ARRAY['model', 'precision', 'step', 'task']
);

CALL system.sync_partition_metadata(schema_name => 'cliffwatch', table_name => 'documents', mode => 'FULL');

CREATE TABLE metrics (
  precision varchar,
  step bigint,
  cell_id varchar,
  task varchar,
  metric varchar,
  higher_is_better boolean,
  value double,
  stderr double,
  ci_low double,
  ci_high double,
  replicas integer,
  rounding_sd double,
  items bigint,
  failed bigint,
  items_per_second double,
  tokens_per_second double,
  kernel varchar,
  task_version varchar,
  task_hash varchar,
  comparable_key varchar,
  comparable_parts varchar,
  error varchar,
  model varchar
)
WITH (
  format = 'PARQUET',
  external_location = 'DIR/metrics',
  partitioned_by = ARRAY['model']
);

CALL system.sync_partition_metadata(schema_name => 'cliffwatch', table_name => 'metrics', mode => 'FULL');

CREATE TABLE runs (
  started varchar,
  finished varchar,
  suite varchar,
  configuration varchar,
  code_version varchar,
  spark_version varchar,
  java_version varchar,
  machine varchar,
  cpu varchar,
  isa varchar,
  backend varchar,
  cells_planned integer,
  cells_scored integer,
  cells_reused integer,
  cells_failed integer,
  exit_code integer,
  run_id varchar
)
WITH (
  format = 'PARQUET',
  external_location = 'DIR/runs',
  partitioned_by = ARRAY['run_id']
);

CALL system.sync_partition_metadata(schema_name => 'cliffwatch', table_name => 'runs', mode => 'FULL');

CREATE TABLE scores (
  cell_id varchar,
  replica integer,
  item integer,
  doc_hash varchar,
  gold integer,
  chosen integer,
  chosen_norm integer,
  chosen_bytes integer,
  correct boolean,
  correct_norm boolean,
  choices array(row(loglikelihood double, tokens integer, characters integer, words integer, bytes integer, greedy boolean, truncated boolean, straddled boolean, kl double, top1_agreed integer, right_answer boolean)),
  status varchar,
  error varchar,
  model varchar,
  precision varchar,
  step bigint,
  task varchar
)
WITH (
  format = 'PARQUET',
  external_location = 'DIR/scores',
  partitioned_by = ARRAY['model', 'precision', 'step', 'task']
);

CALL system.sync_partition_metadata(schema_name => 'cliffwatch', table_name => 'scores', mode => 'FULL');

CREATE TABLE verdicts (
  rule varchar,
  level varchar,
  model varchar,
  precision varchar,
  step bigint,
  task varchar,
  metric varchar,
  unit varchar,
  outcome varchar,
  value double,
  low double,
  high double,
  margin double,
  p_value double,
  p_adjusted double,
  minimum_detectable double,
  items bigint,
  baseline_run varchar,
  reason varchar,
  run_id varchar
)
WITH (
  format = 'PARQUET',
  external_location = 'DIR/verdicts',
  partitioned_by = ARRAY['run_id']
);

CALL system.sync_partition_metadata(schema_name => 'cliffwatch', table_name => 'verdicts', mode => 'FULL');

-- end trino
