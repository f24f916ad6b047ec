package org.cliffwatch.quantizer.train;

import static org.bytedeco.openblas.global.openblas_nolapack.CblasNoTrans;
import static org.bytedeco.openblas.global.openblas_nolapack.CblasRowMajor;
import static org.bytedeco.openblas.global.openblas_nolapack.CblasTrans;
import static org.bytedeco.openblas.global.openblas_nolapack.blas_set_num_threads;
import static org.bytedeco.openblas.global.openblas_nolapack.cblas_sgemm;

/**
 * Matrix products by OpenBLAS, row-major float32, one thread each. A product's bits depend on its
 * operands and shape alone, after {@link #onOneThread}.
 */
final class Products {
  private Products() {}

  /**
   * Takes OpenBLAS to one thread for what follows. Its number of threads is the process's, and
   * other libraries set it, ND4J when it is loaded; another number rounds otherwise.
   */
  static void onOneThread() {
    blas_set_num_threads(1);
  }

  /** y (m, n) = alpha · a (m, k) · bᵀ, b (n, k). */
  static void timesTransposed(float alpha, float[] a, float[] b, int m, int n, int k, float[] y) {
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, m, n, k, alpha, a, k, b, k, 0f, y, n);
  }

  /** y (m, n) = alpha · a (m, k) · b (k, n). */
  static void times(float alpha, float[] a, float[] b, int m, int n, int k, float[] y) {
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, n, k, alpha, a, k, b, n, 0f, y, n);
  }

  /** y (m, n) = alpha · aᵀ · b, a (k, m), b (k, n). */
  static void transposedTimes(float alpha, float[] a, float[] b, int m, int n, int k, float[] y) {
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, m, n, k, alpha, a, m, b, n, 0f, y, n);
  }
}
