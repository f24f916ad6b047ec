#!/usr/bin/env bash
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cliffwatch_spark org.cliffwatch.jobs.Predict "$@"
