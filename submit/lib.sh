# Sourced by the commands beside it: finds Java, builds what is missing, starts main classes.
# Not executable by itself.

export CLIFFWATCH_HOME
CLIFFWATCH_HOME="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"
CLIFFWATCH_JAR="$CLIFFWATCH_HOME/jobs/target/cliffwatch.jar"
CLIFFWATCH_TARGET="$CLIFFWATCH_HOME/jobs/target"

export SPARK_DRIVER_MEMORY="${SPARK_DRIVER_MEMORY:-2g}"
export SPARK_LOCAL_IP="${SPARK_LOCAL_IP:-127.0.0.1}"
# Workers of a standalone cluster started from here fail without it.
export SPARK_SCALA_VERSION="${SPARK_SCALA_VERSION:-2.13}"

cliffwatch_fail() {
  echo "cliffwatch: $1" >&2
  exit 3
}

cliffwatch_java_binary() {
  if [ -n "${JAVA_HOME:-}" ] && [ -x "$JAVA_HOME/bin/java" ]; then
    echo "$JAVA_HOME/bin/java"
  elif command -v java > /dev/null; then
    command -v java
  else
    cliffwatch_fail "found no java in JAVA_HOME or on the PATH, expected a JDK 17 or newer"
  fi
}

# Newest input of the build, to tell whether the jar is older than the sources.
cliffwatch_stale() {
  [ ! -f "$CLIFFWATCH_JAR" ] || [ ! -f "$CLIFFWATCH_TARGET/spark.classpath" ] && return 0
  [ -n "$(find "$CLIFFWATCH_HOME/pom.xml" "$CLIFFWATCH_HOME"/*/pom.xml "$CLIFFWATCH_HOME"/*/src/main \
    "$CLIFFWATCH_HOME/tasks/definitions" \
    "$CLIFFWATCH_HOME/conf/precisions.yaml" -type f -newer "$CLIFFWATCH_JAR" -print -quit 2> /dev/null)" ]
}

# Builds the application jar when it is missing or older than the sources. One build at a time.
cliffwatch_build() {
  cliffwatch_stale || return 0
  [ -f "$CLIFFWATCH_HOME/pom.xml" ] || return 0
  command -v mvn > /dev/null || cliffwatch_fail "found no mvn on the PATH, needed once to build $CLIFFWATCH_JAR"
  mkdir -p "$CLIFFWATCH_TARGET"
  (
    flock 9
    cliffwatch_stale || exit 0
    echo "cliffwatch: building (once; needs Maven Central the first time) ..." >&2
    log="$CLIFFWATCH_TARGET/build.log"
    if ! (cd "$CLIFFWATCH_HOME" && mvn -B -q -Pquick -DskipTests package > "$log" 2>&1); then
      cat "$log" >&2
      echo "cliffwatch: the build failed, see above" >&2
      exit 5
    fi
    touch "$CLIFFWATCH_JAR"
  ) 9> "$CLIFFWATCH_TARGET/build.lock" || exit $?
}

# Where Spark's own jars are: a stock distribution's, else those Maven resolved.
cliffwatch_spark_classpath() {
  if [ -n "${SPARK_HOME:-}" ]; then
    [ -d "$SPARK_HOME/jars" ] || cliffwatch_fail "SPARK_HOME: found no jars folder in $SPARK_HOME, expected a Spark distribution"
    echo "$SPARK_HOME/jars/*"
  else
    cat "$CLIFFWATCH_TARGET/spark.classpath"
  fi
}

# What the commands without Spark need beside the application jar: logging, and what ND4J shares with
# Spark.
cliffwatch_common_classpath() {
  if [ -n "${SPARK_HOME:-}" ] && [ ! -f "$CLIFFWATCH_TARGET/common.classpath" ]; then
    find "$SPARK_HOME/jars" -name 'slf4j-api*.jar' -o -name 'log4j-*.jar' -o -name 'commons-*.jar' | tr '\n' ':'
  else
    cat "$CLIFFWATCH_TARGET/common.classpath"
  fi
}

# Weights live outside the heap: JavaCPP and direct buffers would otherwise stop at the heap's size.
CLIFFWATCH_JVM=(
  -XX:+IgnoreUnrecognizedVMOptions
  -XX:MaxDirectMemorySize=1t
  -Dorg.bytedeco.javacpp.maxbytes=0
  -Dorg.bytedeco.javacpp.maxphysicalbytes=0
  --add-modules=jdk.incubator.vector
  "-Dlog4j2.configurationFile=$CLIFFWATCH_HOME/conf/log4j2.properties"
)

# For commands that train, or take gradients, and score in one process. The trainer's vectors have 256 bits on
# every processor; where scoring's have 512, HotSpot compiles neither well once both were used.
cliffwatch_one_vector_width() {
  local width=-XX:MaxVectorSize=32
  CLIFFWATCH_JVM+=("$width")
  cliffwatch_executor_options="$(sed -n 's/^spark\.executor\.extraJavaOptions *//p' "$CLIFFWATCH_HOME/conf/spark-defaults.conf") $width"
}

# cliffwatch_java MAIN ARGS...: a main class without Spark. Nearly all of its memory is weights, outside
# the heap; the default collector would let the heap grow to as much again.
cliffwatch_java() {
  cliffwatch_build
  # shellcheck disable=SC2086
  exec "$(cliffwatch_java_binary)" "${CLIFFWATCH_JVM[@]}" ${CLIFFWATCH_JAVA_OPTS:--Xms32m -XX:+UseSerialGC} \
    -cp "$CLIFFWATCH_JAR:$(cliffwatch_common_classpath)" "$@"
}

# cliffwatch_java_beside_spark MAIN ARGS...: a main class without Spark that uses libraries of Spark's, of
# which Arrow's looks into java.nio.
cliffwatch_java_beside_spark() {
  cliffwatch_build
  # shellcheck disable=SC2086
  exec "$(cliffwatch_java_binary)" "${CLIFFWATCH_JVM[@]}" --add-opens=java.base/java.nio=ALL-UNNAMED ${CLIFFWATCH_JAVA_OPTS:-} \
    -cp "$CLIFFWATCH_JAR:$(cliffwatch_spark_classpath)" "$@"
}

# cliffwatch_properties FILE: its settings, for cliffwatch_spark. spark-submit takes one file of them, which
# is conf/spark-defaults.conf.
cliffwatch_properties() {
  [ -f "$1" ] || cliffwatch_fail "--properties-file: found no file $1, expected one with a 'key value' a line"
  local line
  while read -r line || [ -n "$line" ]; do
    [[ "$line" =~ ^([^#[:space:]=:][^[:space:]=:]*)[[:space:]]*[=:]?[[:space:]]*(.*)$ ]] || continue
    if [ "${BASH_REMATCH[1]}" = spark.master ]; then
      master="${master:-${BASH_REMATCH[2]}}"
    else
      cliffwatch_setting "${BASH_REMATCH[1]}=${BASH_REMATCH[2]}"
    fi
  done < "$1"
}

# cliffwatch_setting KEY=VALUE: a setting for spark-submit. The driver's heap is this process's, for which
# the launcher of a stock Spark looks at the setting, and without one we do.
cliffwatch_setting() {
  spark+=(--conf "$1")
  [[ "$1" =~ ^spark\.driver\.memory=([0-9]+)([kKmMgGtT]?)[bB]?$ ]] || return 0
  SPARK_DRIVER_MEMORY="${BASH_REMATCH[1]}${BASH_REMATCH[2]:-m}"
}

# cliffwatch_spark MAIN ARGS...: a main class through spark-submit, which gets --master, --deploy-mode,
# --driver-memory, --conf and --properties-file among ARGS; SPARK_SUBMIT_OPTS reaches the driver's JVM.
cliffwatch_spark() {
  cliffwatch_build
  local main="$1"
  shift
  case " $* " in
    *" --help "* | *" -h "* | *" --version "*)
      # shellcheck disable=SC2086
      exec "$(cliffwatch_java_binary)" "${CLIFFWATCH_JVM[@]}" -cp "$CLIFFWATCH_JAR:$(cliffwatch_spark_classpath)" "$main" "$@"
      ;;
  esac
  local master=""
  local spark=(--class "$main" --properties-file "$CLIFFWATCH_HOME/conf/spark-defaults.conf")
  [ -z "${cliffwatch_executor_options:-}" ] || spark+=(--conf "spark.executor.extraJavaOptions=$cliffwatch_executor_options")
  local own=()
  while [ $# -gt 0 ]; do
    case "$1" in
      --master) master="${2:?--master needs a value}"; shift 2 ;;
      --master=*) master="${1#--master=}"; shift ;;
      --deploy-mode) spark+=(--deploy-mode "${2:?--deploy-mode needs client or cluster}"); shift 2 ;;
      --deploy-mode=*) spark+=("$1"); shift ;;
      --properties-file) cliffwatch_properties "${2:?--properties-file needs a file}"; shift 2 ;;
      --properties-file=*) cliffwatch_properties "${1#--properties-file=}"; shift ;;
      --conf) cliffwatch_setting "${2:?--conf needs key=value}"; shift 2 ;;
      --conf=*) cliffwatch_setting "${1#--conf=}"; shift ;;
      --driver-memory) cliffwatch_setting "spark.driver.memory=${2:?--driver-memory needs a size, such as 4g}"; shift 2 ;;
      --driver-memory=*) cliffwatch_setting "spark.driver.memory=${1#--driver-memory=}"; shift ;;
      *) own+=("$1"); shift ;;
    esac
  done
  [ -z "$master" ] || spark+=(--master "$master")
  if [[ -z "${SPARK_HOME:-}" && "$master" =~ ^(yarn|k8s:.*)$ ]]; then
    cliffwatch_fail "found master $master and no SPARK_HOME, expected a Spark distribution there: what Maven brings has neither YARN nor Kubernetes"
  fi
  if [ -n "${SPARK_HOME:-}" ]; then
    [ -x "$SPARK_HOME/bin/spark-submit" ] || cliffwatch_fail "SPARK_HOME: found no bin/spark-submit in $SPARK_HOME, expected a Spark distribution"
    export SPARK_SUBMIT_OPTS="${SPARK_SUBMIT_OPTS:-} ${CLIFFWATCH_JVM[*]} ${CLIFFWATCH_JAVA_OPTS:-}"
    exec "$SPARK_HOME/bin/spark-submit" --load-spark-defaults "${spark[@]}" "$CLIFFWATCH_JAR" ${own[@]+"${own[@]}"}
  else
    # shellcheck disable=SC2086,SC2046
    exec "$(cliffwatch_java_binary)" "-Xmx$SPARK_DRIVER_MEMORY" "${CLIFFWATCH_JVM[@]}" $(cat "$CLIFFWATCH_TARGET/spark.jvm") \
      ${SPARK_SUBMIT_OPTS:-} ${CLIFFWATCH_JAVA_OPTS:-} -cp "${HADOOP_CONF_DIR:+$HADOOP_CONF_DIR:}$(cliffwatch_spark_classpath)" \
      org.apache.spark.deploy.SparkSubmit "${spark[@]}" "$CLIFFWATCH_JAR" ${own[@]+"${own[@]}"}
  fi
}
