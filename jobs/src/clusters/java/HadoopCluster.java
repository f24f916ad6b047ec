import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.LocatedFileStatus;
import org.apache.hadoop.fs.RemoteIterator;
import org.apache.hadoop.hdfs.MiniDFSCluster;
import org.apache.hadoop.yarn.conf.YarnConfiguration;
import org.apache.hadoop.yarn.exceptions.YarnException;
import org.apache.hadoop.yarn.server.MiniYARNCluster;
import org.apache.hadoop.yarn.server.resourcemanager.scheduler.fifo.FifoScheduler;
import org.apache.log4j.BasicConfigurator;
import org.apache.log4j.ConsoleAppender;
import org.apache.log4j.Level;
import org.apache.log4j.Logger;
import org.apache.log4j.SimpleLayout;

/**
 * HDFS and YARN on loopback, for {@code .ci/clusters}: a process of its own, since Hadoop's servers
 * and Spark do not share a class path.
 *
 * <p>Writes {@code conf/} (for HADOOP_CONF_DIR) into its folder, prints {@code ready}, and ends
 * with its standard input. A line there, {@code kill-executor URI}, kills a Spark executor as soon
 * as there is a Parquet file below the URI, and answers with its process id.
 */
final class HadoopCluster {
  private static final int NODES = 2;
  private static final int NODE_MEGABYTES = 2560;
  private static final long PATIENCE_MILLIS = 480_000;

  private HadoopCluster() {}

  public static void main(String[] arguments) {
    BasicConfigurator.configure(new ConsoleAppender(new SimpleLayout(), "System.err"));
    Logger.getRootLogger().setLevel(Level.WARN);
    int status = 1;
    try {
      run(Path.of(arguments[0]).toAbsolutePath());
      status = 0;
    } catch (Exception | LinkageError e) {
      e.printStackTrace(System.err);
    } finally {
      // What the servers hold is thrown away: they need not end in order, but containers must.
      ProcessHandle.current().descendants().forEach(ProcessHandle::destroyForcibly);
      Runtime.getRuntime().halt(status);
    }
  }

  private static void run(Path folder) throws IOException, InterruptedException, YarnException {
    YarnConfiguration configuration = new YarnConfiguration();
    configuration.set("hadoop.tmp.dir", folder.resolve("tmp").toString());
    configuration.set(MiniDFSCluster.HDFS_MINIDFS_BASEDIR, folder.resolve("hdfs").toString());
    configuration.setInt("dfs.replication", 1);
    // A container that uses more memory than it asked for is killed, as on a real node.
    configuration.setBoolean(YarnConfiguration.NM_PMEM_CHECK_ENABLED, true);
    configuration.setBoolean(YarnConfiguration.NM_VMEM_CHECK_ENABLED, false);
    configuration.setInt(YarnConfiguration.NM_PMEM_MB, NODE_MEGABYTES);
    configuration.setInt(YarnConfiguration.NM_VCORES, 2);
    configuration.setInt(YarnConfiguration.RM_SCHEDULER_MINIMUM_ALLOCATION_MB, 128);
    configuration.set(YarnConfiguration.RM_SCHEDULER, FifoScheduler.class.getName());
    // The machine's own disk may be fuller than a node of a cluster is allowed to be.
    configuration.setFloat(
        "yarn.nodemanager.disk-health-checker.max-disk-utilization-per-disk-percentage", 100f);
    System.setProperty("test.build.data", folder.resolve("yarn").toString());

    MiniDFSCluster hdfs = new MiniDFSCluster.Builder(configuration).numDataNodes(1).build();
    hdfs.waitActive();
    configuration.set("fs.defaultFS", hdfs.getURI().toString());
    MiniYARNCluster yarn = new MiniYARNCluster("yarn", NODES, 1, 1);
    yarn.init(configuration);
    yarn.start();
    if (!yarn.waitForNodeManagersToConnect(PATIENCE_MILLIS)) {
      throw new IllegalStateException("the nodes did not come within " + PATIENCE_MILLIS + " ms");
    }
    write(folder.resolve("conf"), yarn.getConfig());
    System.out.println("ready");
    obey(hdfs.getFileSystem());
  }

  /** What a client needs; the rest of the servers' configuration is theirs. */
  private static void write(Path conf, Configuration servers) throws IOException {
    Files.createDirectories(conf);
    write(conf.resolve("core-site.xml"), servers, "fs.defaultFS");
    write(
        conf.resolve("yarn-site.xml"),
        servers,
        YarnConfiguration.RM_ADDRESS,
        YarnConfiguration.RM_SCHEDULER_ADDRESS,
        YarnConfiguration.RM_WEBAPP_ADDRESS);
  }

  private static void write(Path file, Configuration servers, String... names) throws IOException {
    Configuration client = new Configuration(false);
    for (String name : names) {
      client.set(name, servers.get(name));
    }
    try (OutputStream out = Files.newOutputStream(file)) {
      client.writeXml(out);
    }
  }

  private static void obey(FileSystem files) throws IOException, InterruptedException {
    BufferedReader in =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    String order = "kill-executor ";
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      if (!line.startsWith(order)) {
        throw new IllegalArgumentException("found '" + line + "', expected '" + order + "URI'");
      }
      System.out.println(killed(files, line.substring(order.length())));
    }
  }

  private static String killed(FileSystem files, String uri) throws InterruptedException {
    long end = System.currentTimeMillis() + PATIENCE_MILLIS;
    while (System.currentTimeMillis() < end) {
      if (hasParquet(files, new org.apache.hadoop.fs.Path(uri))) {
        Optional<ProcessHandle> executor = executor();
        if (executor.isPresent() && executor.get().destroyForcibly()) {
          return "killed " + executor.get().pid();
        }
      }
      Thread.sleep(20);
    }
    return "found no executor to kill";
  }

  private static Optional<ProcessHandle> executor() {
    return ProcessHandle.current()
        .descendants()
        .filter(process -> process.info().command().orElse("").endsWith("java"))
        .filter(
            process ->
                process
                    .info()
                    .commandLine()
                    .orElse("")
                    .contains("YarnCoarseGrainedExecutorBackend"))
        .findFirst();
  }

  private static boolean hasParquet(FileSystem files, org.apache.hadoop.fs.Path folder) {
    try {
      RemoteIterator<LocatedFileStatus> all = files.listFiles(folder, true);
      while (all.hasNext()) {
        if (all.next().getPath().getName().endsWith(".parquet")) {
          return true;
        }
      }
    } catch (IOException e) {
      return false; // not there yet, or a file moved while we looked
    }
    return false;
  }
}
