package org.cliffwatch.quantizer.kernel.cuda;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.bytedeco.cuda.cublas.cublasLtContext;
import org.bytedeco.cuda.cublas.cublasLtMatmulAlgo_t;
import org.bytedeco.cuda.cublas.cublasLtMatmulDescOpaque_t;
import org.bytedeco.cuda.cublas.cublasLtMatmulHeuristicResult_t;
import org.bytedeco.cuda.cublas.cublasLtMatmulPreferenceOpaque_t;
import org.bytedeco.cuda.cublas.cublasLtMatrixLayoutOpaque_t;
import org.bytedeco.cuda.global.cublas;
import org.bytedeco.cuda.global.cudart;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.LongPointer;

/**
 * The products of one weight's shape by cuBLASLt. Row-major matrices are its column-major ones
 * transposed: with A = W kept as (outputs, inputs) and transposed, B = x and D = y lie as they are.
 *
 * <p>Products that round use one algorithm, chosen once for {@link #CHOSEN_FOR} rows and without
 * split sums, for any number of rows: so a row is added in one order. Integers are exact in any.
 */
final class NvidiaProduct implements Device.Product {
  /** Rows are multiplied in multiples of so many. */
  static final int TILE_ROWS = 32;

  static final long WORKSPACE_BYTES = 32L << 20;

  private static final int CHOSEN_FOR = 2048;

  /** Of the heuristic's, that are measured where any gives the same bits. */
  private static final int CANDIDATES = 8;

  /** Integer products have an algorithm for each multiple of so many rows. */
  private static final int INTEGER_STEP = 256;

  private final cublasLtContext cublasLt;
  private final ProductType type;
  private final int outputs;
  private final int inputs;
  private final cublasLtMatrixLayoutOpaque_t weight;
  private final Map<Integer, cublasLtMatrixLayoutOpaque_t> xs = new ConcurrentHashMap<>();
  private final Map<Integer, cublasLtMatrixLayoutOpaque_t> ys = new ConcurrentHashMap<>();
  private final Map<Integer, cublasLtMatmulAlgo_t> algorithms = new ConcurrentHashMap<>();

  NvidiaProduct(cublasLtContext cublasLt, ProductType type, int outputs, int inputs) {
    if (outputs % DeviceRows.STEP != 0 || inputs % DeviceRows.STEP != 0) {
      throw new IllegalArgumentException("product of (%s, %s)".formatted(outputs, inputs));
    }
    this.cublasLt = cublasLt;
    this.type = type;
    this.outputs = outputs;
    this.inputs = inputs;
    this.weight = layout(inputType(), inputs, outputs);
  }

  ProductType type() {
    return type;
  }

  private int inputType() {
    return switch (type) {
      case INT8 -> cudart.CUDA_R_8I;
      case FLOAT32 -> cudart.CUDA_R_32F;
      case BFLOAT16, BFLOAT16_TO_FLOAT32 -> cudart.CUDA_R_16BF;
      case FLOAT16, FLOAT16_TO_FLOAT32 -> cudart.CUDA_R_16F;
    };
  }

  int outputType() {
    return switch (type) {
      case INT8 -> cudart.CUDA_R_32I;
      case FLOAT32, BFLOAT16_TO_FLOAT32, FLOAT16_TO_FLOAT32 -> cudart.CUDA_R_32F;
      case BFLOAT16 -> cudart.CUDA_R_16BF;
      case FLOAT16 -> cudart.CUDA_R_16F;
    };
  }

  /**
   * A description.
   *
   * @param bias address of one of the result's type, or 0
   */
  cublasLtMatmulDescOpaque_t description(long bias) {
    boolean integer = type == ProductType.INT8;
    cublasLtMatmulDescOpaque_t description = new cublasLtMatmulDescOpaque_t();
    Cuda.checkCublas(
        cublas.cublasLtMatmulDescInit(
            description,
            integer ? cublas.CUBLAS_COMPUTE_32I : cublas.CUBLAS_COMPUTE_32F,
            integer ? cudart.CUDA_R_32I : cudart.CUDA_R_32F),
        "cublasLtMatmulDescInit");
    set(description, cublas.CUBLASLT_MATMUL_DESC_TRANSA, cublas.CUBLAS_OP_T);
    if (bias != 0) {
      setBias(description, bias);
    }
    return description;
  }

  private static void set(cublasLtMatmulDescOpaque_t description, int attribute, int value) {
    try (IntPointer pointer = new IntPointer(1).put(value)) {
      Cuda.checkCublas(
          cublas.cublasLtMatmulDescSetAttribute(description, attribute, pointer, Integer.BYTES),
          "cublasLtMatmulDescSetAttribute");
    }
  }

  private static void setBias(cublasLtMatmulDescOpaque_t description, long bias) {
    set(description, cublas.CUBLASLT_MATMUL_DESC_EPILOGUE, cublas.CUBLASLT_EPILOGUE_BIAS);
    try (LongPointer pointer = new LongPointer(1).put(bias)) {
      Cuda.checkCublas(
          cublas.cublasLtMatmulDescSetAttribute(
              description, cublas.CUBLASLT_MATMUL_DESC_BIAS_POINTER, pointer, Long.BYTES),
          "cublasLtMatmulDescSetAttribute");
    }
  }

  private static cublasLtMatrixLayoutOpaque_t layout(int type, long rows, long columns) {
    cublasLtMatrixLayoutOpaque_t layout = new cublasLtMatrixLayoutOpaque_t();
    Cuda.checkCublas(
        cublas.cublasLtMatrixLayoutInit(layout, type, rows, columns, rows),
        "cublasLtMatrixLayoutInit");
    return layout;
  }

  cublasLtMatrixLayoutOpaque_t weight() {
    return weight;
  }

  cublasLtMatrixLayoutOpaque_t x(int rows) {
    return xs.computeIfAbsent(rows, n -> layout(inputType(), inputs, n));
  }

  cublasLtMatrixLayoutOpaque_t y(int rows) {
    return ys.computeIfAbsent(rows, n -> layout(outputType(), outputs, n));
  }

  /**
   * The algorithm for so many rows; for integers the fastest of what the heuristic names, which is
   * measured when it is first wanted, and gives the same bits whichever it is.
   *
   * @param biased whether a bias is added: a weight has one always or never
   * @param timing a product's seconds with an algorithm
   */
  cublasLtMatmulAlgo_t algorithm(int rows, boolean biased, Timing timing) {
    boolean integer = type == ProductType.INT8;
    int like = integer ? DeviceRows.roundUp(rows, INTEGER_STEP) : CHOSEN_FOR;
    return algorithms.computeIfAbsent(
        biased ? -like : like,
        key -> {
          List<cublasLtMatmulAlgo_t> found = found(like, biased, integer ? CANDIDATES : 1);
          return found.size() == 1 ? found.get(0) : fastest(found, timing);
        });
  }

  /** Measures a product with an algorithm. */
  interface Timing {
    double seconds(cublasLtMatmulAlgo_t algorithm);
  }

  private static cublasLtMatmulAlgo_t fastest(
      List<cublasLtMatmulAlgo_t> candidates, Timing timing) {
    cublasLtMatmulAlgo_t fastest = null;
    double least = Double.MAX_VALUE;
    for (cublasLtMatmulAlgo_t candidate : candidates) {
      double seconds = timing.seconds(candidate);
      if (fastest == null || seconds < least) {
        fastest = candidate;
        least = seconds;
      }
    }
    return fastest;
  }

  /** What the heuristic names, best first. */
  private List<cublasLtMatmulAlgo_t> found(int rows, boolean biased, int most) {
    // Any address that is aligned as biases are.
    cublasLtMatmulDescOpaque_t description = description(biased ? 256 : 0);
    try (cublasLtMatmulPreferenceOpaque_t preference = new cublasLtMatmulPreferenceOpaque_t();
        LongPointer workspace = new LongPointer(1).put(WORKSPACE_BYTES);
        IntPointer unsplit = new IntPointer(1).put(cublas.CUBLASLT_REDUCTION_SCHEME_NONE);
        IntPointer found = new IntPointer(1)) {
      Cuda.checkCublas(
          cublas.cublasLtMatmulPreferenceInit(preference), "cublasLtMatmulPreferenceInit");
      Cuda.checkCublas(
          cublas.cublasLtMatmulPreferenceSetAttribute(
              preference, cublas.CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, workspace, Long.BYTES),
          "cublasLtMatmulPreferenceSetAttribute");
      if (type != ProductType.INT8) {
        Cuda.checkCublas(
            cublas.cublasLtMatmulPreferenceSetAttribute(
                preference,
                cublas.CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
                unsplit,
                Integer.BYTES),
            "cublasLtMatmulPreferenceSetAttribute");
      }
      cublasLtMatmulHeuristicResult_t results = new cublasLtMatmulHeuristicResult_t(most);
      Cuda.checkCublas(
          cublas.cublasLtMatmulAlgoGetHeuristic(
              cublasLt,
              description,
              weight,
              x(rows),
              y(rows),
              y(rows),
              preference,
              most,
              results,
              found),
          "cublasLtMatmulAlgoGetHeuristic");
      if (found.get() == 0) {
        throw new IllegalStateException(
            "cuBLASLt has no %s product of (%s, %s)".formatted(type, outputs, inputs));
      }
      List<cublasLtMatmulAlgo_t> algorithms = new ArrayList<>();
      for (int i = 0; i < found.get(); i++) {
        cublasLtMatmulAlgo_t algorithm = new cublasLtMatmulAlgo_t();
        algorithm.put(results.getPointer(i).algo());
        algorithms.add(algorithm);
      }
      return algorithms;
    }
  }
}
