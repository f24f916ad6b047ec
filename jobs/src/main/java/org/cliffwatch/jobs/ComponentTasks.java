package org.cliffwatch.jobs;

import java.io.IOException;
import java.io.Serializable;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.List;
import java.util.UUID;
import java.util.stream.IntStream;
import org.apache.spark.BarrierTaskContext;
import org.apache.spark.SparkEnv;
import org.apache.spark.api.java.JavaSparkContext;
import org.cliffwatch.jobs.suite.SuiteException;
import org.cliffwatch.quantizer.train.Link;
import org.cliffwatch.quantizer.train.Recipe;
import org.cliffwatch.quantizer.train.Training;
import scala.Function1;
import scala.collection.Iterator;
import scala.jdk.javaapi.CollectionConverters;
import scala.reflect.ClassTag$;

/**
 * A recipe's components as the tasks of one barrier stage, which Spark starts together and, when
 * one is lost, together again; they go on from the last checkpoint. Activations and gradients go
 * from task to task over sockets, never through the driver.
 */
final class ComponentTasks {
  private static final int PATIENCE_MILLIS = 60_000;
  private static final String DEFAULT_PARALLELISM = "spark.default.parallelism";

  private ComponentTasks() {}

  /**
   * Trains a recipe; needs as many task slots at once as it has components.
   *
   * @param data folder of training text and tokenizer, seen by all executors
   * @param output the model's own folder, seen by all executors
   * @throws SuiteException if the cluster has fewer slots
   */
  static Training.Result train(JavaSparkContext spark, Recipe recipe, String data, String output) {
    int components = recipe.components();
    if (!spark.getConf().contains(DEFAULT_PARALLELISM) && spark.defaultParallelism() < components) {
      throw new SuiteException(
          "--components tasks: found %s cores, expected %s, one for each component of recipe %s"
              .formatted(spark.defaultParallelism(), components, recipe.name()));
    }
    Function1<Iterator<Integer>, Iterator<Training.Result>> task =
        (Function1<Iterator<Integer>, Iterator<Training.Result>> & Serializable)
            indices ->
                CollectionConverters.asScala(
                    trainOne(recipe, Path.of(data), Path.of(output)).iterator());
    return spark
        .parallelize(IntStream.range(0, components).boxed().toList(), components)
        .rdd()
        .barrier()
        .mapPartitions(task, false, ClassTag$.MODULE$.apply(Training.Result.class))
        .toJavaRDD()
        .coalesce(1, true) // Spark repeats a barrier stage only where a shuffle follows
        .collect()
        .get(0);
  }

  /** Where a component waits for the one before it, as the tasks tell each other. */
  private record Address(String host, int port, String secret) {
    @Override
    public String toString() {
      return host + " " + port + " " + secret;
    }

    static Address of(String told) {
      String[] parts = told.split(" ", -1);
      return new Address(parts[0], Integer.parseInt(parts[1]), parts[2]);
    }
  }

  /** On an executor: the component whose number is the task's; the first has the result. */
  private static List<Training.Result> trainOne(Recipe recipe, Path data, Path output) {
    BarrierTaskContext context = BarrierTaskContext.get();
    int component = context.partitionId();
    String host = SparkEnv.get().blockManager().blockManagerId().host();
    try (ServerSocket server = new ServerSocket(0, 1, InetAddress.getByName(host))) {
      Address own = new Address(host, server.getLocalPort(), UUID.randomUUID().toString());
      String[] told = context.allGather(own.toString());
      boolean isLast = component == told.length - 1;
      try (Link next = isLast ? null : connected(Address.of(told[component + 1]));
          Link previous = component == 0 ? null : accepted(server, own.secret())) {
        Training.Result result =
            Training.runComponent(
                recipe,
                data,
                output,
                component,
                new Link.Neighbours(previous, next),
                Study::report);
        return component == 0 ? List.of(result) : List.of();
      }
    } catch (IOException e) {
      throw new IllegalStateException(
          "recipe %s, component %s: its neighbours cannot be reached: %s"
              .formatted(recipe.name(), component, e.getMessage()),
          e);
    }
  }

  private static Link connected(Address address) throws IOException {
    Socket socket = new Socket(address.host(), address.port());
    socket.setKeepAlive(true);
    socket.getOutputStream().write(address.secret().getBytes(StandardCharsets.US_ASCII));
    return Link.over(socket);
  }

  /** Who does not know the secret is turned away. */
  private static Link accepted(ServerSocket server, String secret) throws IOException {
    byte[] expected = secret.getBytes(StandardCharsets.US_ASCII);
    server.setSoTimeout(PATIENCE_MILLIS);
    while (true) {
      Socket socket = server.accept();
      socket.setSoTimeout(PATIENCE_MILLIS);
      try {
        byte[] told = socket.getInputStream().readNBytes(expected.length);
        if (MessageDigest.isEqual(told, expected)) {
          socket.setSoTimeout(0);
          socket.setKeepAlive(true);
          return Link.over(socket);
        }
      } catch (SocketTimeoutException e) {
        // not one of ours
      }
      socket.close();
    }
  }
}
