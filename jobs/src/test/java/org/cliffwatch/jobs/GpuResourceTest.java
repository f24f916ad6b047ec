package org.cliffwatch.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;
import org.cliffwatch.jobs.executor.AssignedGpu;
import org.cliffwatch.quantizer.kernel.cuda.CudaProvider;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The GPU that Spark assigns is the one that is used, found by the project's discovery script. */
class GpuResourceTest {
  @TempDir Path folder;

  @AfterEach
  void forget() {
    System.clearProperty(CudaProvider.DEVICE_PROPERTY);
  }

  /** submit/gpu-discovery.sh, with an nvidia-smi that knows of these GPUs. */
  private String discovery(String... indices) throws IOException {
    Path smi = folder.resolve("nvidia-smi");
    Files.writeString(smi, "#!/bin/sh\nprintf '%s\\n' " + String.join(" ", indices) + "\n");
    Path script = folder.resolve("discovery");
    Path own = Path.of("../submit/gpu-discovery.sh").toRealPath();
    Files.writeString(script, "#!/bin/sh\nPATH=" + folder + ":$PATH exec " + own + "\n");
    for (Path file : List.of(smi, script)) {
      Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-xr-x"));
    }
    return script.toString();
  }

  private static String taken() {
    AssignedGpu.take();
    return System.getProperty(CudaProvider.DEVICE_PROPERTY);
  }

  @Test
  void anExecutorsTasksShareItsGpu() throws IOException {
    String options =
        "-Dspark.worker.resource.gpu.amount=1 -Dspark.worker.resource.gpu.discoveryScript="
            + discovery("3");
    Map<String, Object> settings =
        Map.of("spark.executor.resource.gpu.amount", 1, "spark.task.resource.gpu.amount", 0.25);
    try (StandaloneCluster cluster = StandaloneCluster.start(folder.resolve("cluster"), 0)) {
      cluster.addWorker(Map.of("JAVA_TOOL_OPTIONS", options));
      try (SparkSession session = cluster.session(settings)) {
        List<String> found =
            JavaSparkContext.fromSparkContext(session.sparkContext())
                .parallelize(List.of(1, 2, 3), 3)
                .map(task -> taken())
                .collect();
        assertThat(found).containsExactly("3", "3", "3");
      }
    }
  }

  @Test
  void localTasksHaveTheDrivers() throws IOException {
    try (SparkSession session =
        StandaloneCluster.sessionBuilder()
            .master("local[2]")
            .config("spark.driver.resource.gpu.amount", 1)
            .config("spark.driver.resource.gpu.discoveryScript", discovery("5", "6"))
            .getOrCreate()) {
      JavaSparkContext spark = JavaSparkContext.fromSparkContext(session.sparkContext());
      AssignedGpu.takeDrivers(spark.resources());
      assertThat(spark.parallelize(List.of(1, 2), 2).map(task -> taken()).collect())
          .containsExactly("5", "5");
    }
  }
}
