#!/usr/bin/env bash
# Spark's discovery script (spark.worker.resource.gpu.discoveryScript, spark.executor.…, spark.driver.…):
# the GPUs of this machine, as nvidia-smi numbers them; none where there is no nvidia-smi. CUDA numbers
# unlike cards otherwise, unless CUDA_DEVICE_ORDER=PCI_BUS_ID is set for executors.
addresses="$(nvidia-smi --query-gpu=index --format=csv,noheader 2> /dev/null | sed 's/.*/"&"/' | paste -sd,)"
echo "{\"name\": \"gpu\", \"addresses\": [$addresses]}"
