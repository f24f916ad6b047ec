package org.cliffwatch.jobs.executor;

import java.util.Map;
import java.util.Optional;
import org.apache.spark.SparkEnv;
import org.apache.spark.TaskContext;
import org.apache.spark.resource.ResourceInformation;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.kernel.cuda.CudaProvider;

/**
 * The GPU that Spark gave this process: the executor's ({@code
 * spark.executor.resource.gpu.amount}), or in {@code local} mode, where executors get none, the
 * driver's ({@code spark.driver.resource.gpu.amount}). Where Spark gives none, CUDA's first.
 */
public final class AssignedGpu {
  private static final String GPU = "gpu";

  private AssignedGpu() {}

  /**
   * Makes the backend use the GPU of the running task: before any backend is opened.
   *
   * @throws InvalidInputException if this process has another already: one GPU an executor
   */
  public static void take() {
    TaskContext task = TaskContext.get();
    if (task != null) {
      address(task.resourcesJMap()).ifPresent(AssignedGpu::take);
    }
  }

  /**
   * Makes tasks in the driver's own process use the driver's GPU.
   *
   * @param resources the Spark context's
   */
  public static void takeDrivers(Map<String, ResourceInformation> resources) {
    if (SparkEnv.get().executorId().equals("driver")) {
      address(resources).ifPresent(AssignedGpu::take);
    }
  }

  private static Optional<String> address(Map<String, ResourceInformation> resources) {
    ResourceInformation gpu = resources.get(GPU);
    return gpu == null || gpu.addresses().length == 0
        ? Optional.empty()
        : Optional.of(gpu.addresses()[0]);
  }

  private static synchronized void take(String address) {
    String taken = System.getProperty(CudaProvider.DEVICE_PROPERTY);
    if (taken == null) {
      System.setProperty(CudaProvider.DEVICE_PROPERTY, address);
    } else if (!taken.equals(address)) {
      throw new InvalidInputException(
          "found GPUs %s and %s in one executor, expected one (spark.executor.resource.gpu.amount=1)"
              .formatted(taken, address));
    }
  }
}
