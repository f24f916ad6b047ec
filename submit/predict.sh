#!/usr/bin/env bash
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cliffwatch_one_vector_width
cliffwatch_spark org.cliffwatch.jobs.Predict "$@"
