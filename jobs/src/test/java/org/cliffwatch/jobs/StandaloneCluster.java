package org.cliffwatch.jobs;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.function.BooleanSupplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.spark.launcher.JavaModuleOptions;
import org.apache.spark.sql.SparkSession;

/** A real Spark cluster on this machine: a master and workers in processes of their own. */
public final class StandaloneCluster implements AutoCloseable {
  private static final Duration PATIENCE = Duration.ofSeconds(180);
  private static final Pattern MASTER = Pattern.compile("Starting Spark master at (spark://\\S+)");

  private final Path folder;
  private final List<Process> processes = new ArrayList<>();
  private final List<Process> workers = new ArrayList<>();

  /** Executors whose worker was killed: nobody's children then. */
  private final List<ProcessHandle> orphans = new ArrayList<>();

  private String url;

  private StandaloneCluster(Path folder) {
    this.folder = folder;
  }

  public static StandaloneCluster start(Path folder, int workers) throws IOException {
    StandaloneCluster cluster = new StandaloneCluster(Files.createDirectories(folder));
    try {
      Path log =
          cluster.launch(
              "master",
              List.of("-Dspark.master.rest.enabled=false"),
              Map.of(),
              "org.apache.spark.deploy.master.Master",
              "--host",
              "127.0.0.1",
              "--port",
              "0",
              "--webui-port",
              "0");
      cluster.url = await(log, MASTER).group(1);
      for (int i = 0; i < workers; i++) {
        cluster.addWorker(Map.of());
      }
      return cluster;
    } catch (IOException | RuntimeException e) {
      cluster.close();
      throw e;
    }
  }

  /**
   * Starts a worker of one core.
   *
   * @param environment of its executors, beside the others' own
   */
  public void addWorker(Map<String, String> environment) throws IOException {
    String name = "worker" + processes.size();
    Path log =
        launch(
            name,
            List.of(),
            environment,
            "org.apache.spark.deploy.worker.Worker",
            "--host",
            "127.0.0.1",
            "--port",
            "0",
            "--webui-port",
            "0",
            "--cores",
            "1",
            "--memory",
            "1g",
            "--work-dir",
            folder.resolve(name + "-work").toString(),
            url);
    workers.add(processes.get(processes.size() - 1));
    await(log, Pattern.compile("Successfully registered with master"));
  }

  private String url() {
    return url;
  }

  public static SparkSession.Builder sessionBuilder() {
    return SparkSession.builder()
        .appName("test")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.host", "127.0.0.1");
  }

  /** A session of this cluster, whose executors see the test's classes. */
  public SparkSession session() {
    return session(Map.of());
  }

  /**
   * As {@link #session()}.
   *
   * @param settings beside its own
   */
  public SparkSession session(Map<String, Object> settings) {
    return sessionBuilder()
        .config(settings)
        .master(url())
        .config(Map.copyOf(executorSettings()))
        .config(Map.copyOf(Commands.defaults(key -> key.equals("spark.master") ? url() : null)))
        .getOrCreate();
  }

  private static Map<String, String> executorSettings() {
    return Map.of(
        "spark.executor.memory",
        "512m",
        "spark.executor.extraClassPath",
        System.getProperty("java.class.path"),
        "spark.executor.extraJavaOptions",
        "-Dorg.bytedeco.javacpp.maxbytes=0 -Dorg.bytedeco.javacpp.maxphysicalbytes=0");
  }

  /** Starts evaluate.sh's main class on this cluster, its driver a process of its own. */
  public Process evaluate(String... arguments) throws IOException {
    List<String> command = new ArrayList<>();
    command.add("org.apache.spark.deploy.SparkSubmit");
    command.addAll(List.of("--master", url(), "--class", Evaluate.class.getName()));
    Map<String, String> settings = new TreeMap<>(executorSettings());
    settings.put("spark.ui.enabled", "false");
    settings.put("spark.driver.host", "127.0.0.1");
    settings.forEach((key, value) -> command.addAll(List.of("--conf", key + "=" + value)));
    command.add("spark-internal");
    command.addAll(List.of(arguments));
    launch(
        "driver" + processes.size(),
        List.of(JavaModuleOptions.defaultModuleOptions().split(" ")),
        Map.of(),
        command.toArray(String[]::new));
    return processes.get(processes.size() - 1);
  }

  /** Waits for the condition, then kills an executor; whether there was one to kill. */
  public boolean killOneOnce(BooleanSupplier condition) {
    await("the moment to kill an executor", condition);
    return killExecutor(new Random(1));
  }

  /** Kills an executor at once; whether there was one to kill. */
  public boolean killExecutor(Random random) {
    List<ProcessHandle> executors = executors();
    return !executors.isEmpty()
        && executors.get(random.nextInt(executors.size())).destroyForcibly();
  }

  /** Kills a worker at once, and starts another. */
  public void replaceWorker(Random random) throws IOException {
    Process worker = workers.remove(random.nextInt(workers.size()));
    orphans.addAll(worker.descendants().toList());
    worker.destroyForcibly();
    addWorker(Map.of());
  }

  /** Waits until the executors of ended applications are gone too. */
  public void awaitNoExecutor() {
    await(
        "the end of all executors",
        () -> executors().isEmpty() && orphans.stream().noneMatch(ProcessHandle::isAlive));
  }

  private static void await(String what, BooleanSupplier condition) {
    Instant deadline = Instant.now().plus(PATIENCE);
    while (!condition.getAsBoolean()) {
      if (Instant.now().isAfter(deadline)) {
        throw new IllegalStateException("waited " + PATIENCE + " for " + what);
      }
      pause();
    }
  }

  /** The executors' process ids: children of the workers. */
  private List<ProcessHandle> executors() {
    return workers.stream()
        .flatMap(Process::descendants)
        .filter(process -> process.info().command().orElse("").endsWith("java"))
        .toList();
  }

  private Path launch(
      String name, List<String> options, Map<String, String> environment, String... command)
      throws IOException {
    Path home = Files.createDirectories(folder.resolve("home/jars")).getParent();
    Path log = folder.resolve(name + ".log");
    Path logging = folder.resolve("log4j2.properties");
    Files.writeString(
        logging,
        """
        rootLogger.level = info
        rootLogger.appenderRef.out.ref = out
        appender.out.type = Console
        appender.out.name = out
        appender.out.target = SYSTEM_ERR
        appender.out.layout.type = PatternLayout
        appender.out.layout.pattern = %p %c{1}: %m%n
        """);
    List<String> line = new ArrayList<>();
    line.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    line.addAll(List.of("-Xmx512m", "-Dlog4j2.configurationFile=" + logging));
    line.addAll(options);
    line.addAll(List.of("-cp", System.getProperty("java.class.path")));
    line.addAll(List.of(command));
    ProcessBuilder builder =
        new ProcessBuilder(line)
            .redirectErrorStream(true)
            .redirectOutput(log.toFile())
            .directory(new File(folder.toString()));
    // Without these two a worker cannot build its executors' command line.
    builder.environment().put("SPARK_HOME", home.toString());
    builder.environment().put("SPARK_SCALA_VERSION", "2.13");
    builder.environment().put("SPARK_LOCAL_IP", "127.0.0.1");
    builder.environment().putAll(environment);
    processes.add(builder.start());
    return log;
  }

  private static Matcher await(Path log, Pattern pattern) throws IOException {
    Instant deadline = Instant.now().plus(PATIENCE);
    while (Instant.now().isBefore(deadline)) {
      Matcher matcher = pattern.matcher(Files.readString(log));
      if (matcher.find()) {
        return matcher;
      }
      pause();
    }
    throw new IllegalStateException(
        log + " does not say '" + pattern + "' after " + PATIENCE + ":\n" + Files.readString(log));
  }

  private static void pause() {
    try {
      Thread.sleep(100);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }

  @Override
  public void close() {
    orphans.forEach(ProcessHandle::destroyForcibly);
    for (Process process : processes) {
      process.descendants().forEach(ProcessHandle::destroyForcibly);
      process.destroyForcibly();
    }
  }
}
