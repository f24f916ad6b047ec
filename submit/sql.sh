#!/usr/bin/env bash
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# Most of what a short statement costs is the compiler's work: the quick one alone halves it.
CLIFFWATCH_JAVA_OPTS="${CLIFFWATCH_JAVA_OPTS:--XX:TieredStopAtLevel=1 -XX:+UseSerialGC}"
cliffwatch_spark org.cliffwatch.jobs.Sql "$@"
