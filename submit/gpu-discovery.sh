#!/usr/bin/env bash
# Spark's discovery script (spark.worker.resource.gpu.discoveryScript, spark.executor.…, spark.driver.…):
# the GPUs of this machine, as CUDA numbers them.
set -euo pipefail
addresses="$(nvidia-smi --query-gpu=index --format=csv,noheader | sed 's/.*/"&"/' | paste -sd,)"
echo "{\"name\": \"gpu\", \"addresses\": [$addresses]}"
