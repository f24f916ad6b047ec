#!/usr/bin/env bash
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# As for sql.sh: most of the time is the compiler's.
CLIFFWATCH_JAVA_OPTS="${CLIFFWATCH_JAVA_OPTS:--XX:TieredStopAtLevel=1 -XX:+UseSerialGC}"
cliffwatch_spark org.cliffwatch.jobs.ReportCommand "$@"
