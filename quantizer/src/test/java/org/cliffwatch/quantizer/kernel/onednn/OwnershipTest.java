package org.cliffwatch.quantizer.kernel.onednn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.bytedeco.dnnl.dnnl_memory_desc;
import org.bytedeco.dnnl.global.dnnl;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.kernel.Backend;
import org.cliffwatch.quantizer.kernel.Backends;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.kernel.Linear;
import org.cliffwatch.quantizer.kernel.MatrixRows;
import org.cliffwatch.quantizer.kernel.Projection;
import org.cliffwatch.quantizer.kernel.VocabularyHead;
import org.cliffwatch.quantizer.kernel.WeightRows;
import org.cliffwatch.quantizer.scheme.Precision;
import org.cliffwatch.quantizer.scheme.Precisions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Native objects: closed once, refused after, and none left over by a failure. */
class OwnershipTest {
  private static final int INPUTS = 96;

  private Backend backend;

  @BeforeEach
  void open() {
    backend = Backends.open("onednn");
  }

  /** Small integers, whose sums are exact; the last one is given. */
  private static WeightRows weight(int rows, float last) {
    SplittableRandom random = new SplittableRandom(1);
    float[] values = new float[rows * INPUTS];
    for (int i = 0; i < values.length; i++) {
      values[i] = random.nextInt(-8, 9);
    }
    values[values.length - 1] = last;
    return new MatrixRows("w", rows, INPUTS, values);
  }

  @Test
  void anObjectIsDestroyedOnceAndRefusedAfter() {
    long before = Owned.live();
    Owned<dnnl_memory_desc> layout = Owned.layout(dnnl.dnnl_f32, dnnl.dnnl_a, 3);
    assertThat(Owned.live()).isEqualTo(before + 1);
    layout.close();
    layout.close();
    assertThat(Owned.live()).isEqualTo(before);
    assertThatThrownBy(layout::get)
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("dnnl_memory_desc used after it was closed");
  }

  @Test
  void whatCannotBeCreatedIsNotOwned() {
    long before = Owned.live();
    assertThatThrownBy(() -> Owned.layout(dnnl.dnnl_f32, dnnl.dnnl_a, -3))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("dnnl_memory_desc_create_with_tag failed with status");
    assertThat(Owned.live()).isEqualTo(before);
  }

  @ParameterizedTest
  @ValueSource(strings = {"fp32", "bf16", "fp16", "w8", "w4", "w8a8"})
  void aLayerThatCannotBePackedLeavesNothing(String name) {
    Precision precision = Precisions.packaged().named(name);
    Projection good = new Projection(weight(64, 1), null);
    Projection bad = new Projection(weight(64, Float.NaN), null);
    backend.linear(List.of(good, good), precision).close(); // makes the shape's matmuls
    long before = Owned.live();
    assertThatThrownBy(() -> backend.linear(List.of(good, bad), precision))
        .isInstanceOf(InvalidInputException.class)
        .hasMessage("w: row 63, column 95: found NaN, expected a finite weight");
    assertThat(Owned.live()).isEqualTo(before);
  }

  @Test
  void aVocabularyThatCannotBePackedLeavesNothing() {
    backend.head(weight(600, 1), null, FloatType.FLOAT32).close();
    long before = Owned.live();
    assertThatThrownBy(() -> backend.head(weight(600, Float.NaN), null, FloatType.FLOAT32))
        .isInstanceOf(InvalidInputException.class);
    assertThat(Owned.live()).isEqualTo(before);
  }

  /** A workspace whose call failed is not used again, and its views are not left. */
  @Test
  void aCallThatFailsLeavesNothing() {
    Precision precision = Precisions.packaged().named("fp32");
    float[] y = new float[3 * 64];
    try (Linear linear = backend.linear(weight(64, 1), null, precision)) {
      linear.apply(new float[3 * INPUTS], 3, y);
      long before = Owned.live();
      for (int i = 0; i < 20; i++) {
        assertThatThrownBy(() -> linear.apply(new float[INPUTS], 3, y))
            .isInstanceOf(IndexOutOfBoundsException.class);
      }
      assertThat(Owned.live()).isLessThanOrEqualTo(before);
      linear.apply(new float[3 * INPUTS], 3, y);
    }
  }

  @Test
  void aShapeThatTheLibraryLacksLeavesNothing() {
    long before = Owned.live();
    OneDnn library = OneDnn.open(null);
    assertThatThrownBy(() -> new Matmul(library, Product.FLOAT32, -32, 64, 64, null));
    assertThat(Owned.live()).isEqualTo(before);
  }

  /** Very large weights are packed in several layers; here a small one in very many. */
  @ParameterizedTest
  @ValueSource(strings = {"fp32", "bf16", "fp16", "w8", "w4", "w8a8"})
  void outputsInSeveralLayersAreTheSameOutputs(String name) {
    Precision precision = Precisions.packaged().named(name);
    OneDnn library = OneDnn.open(null);
    int outputs = 300;
    int rows = 70;
    SplittableRandom random = new SplittableRandom(2);
    float[] x = new float[rows * INPUTS];
    float[] bias = new float[outputs];
    for (int i = 0; i < x.length; i++) {
      x[i] = random.nextInt(-20, 21);
    }
    for (int o = 0; o < outputs; o++) {
      bias[o] = random.nextInt(-100, 101);
    }
    Projection wide = new Projection(weight(outputs, 1), bias);
    Projection narrow = new Projection(weight(17, 1), null);
    float[][] whole = {new float[rows * outputs], new float[rows * 17]};
    float[][] parts = {new float[rows * outputs], new float[rows * 17]};
    Backend tiled =
        new OneDnnBackend("tiled", new Packing(library, 65 * INPUTS), new Workspaces(library));
    try (Linear one = backend.linear(List.of(wide, narrow), precision);
        Linear many = tiled.linear(List.of(wide, narrow), precision)) {
      one.apply(x, rows, whole);
      many.apply(x, rows, parts);
      assertThat(many.outputs()).containsExactly(outputs, 17);
      assertThat(Arrays.mismatch(parts[0], whole[0])).isEqualTo(-1);
      assertThat(Arrays.mismatch(parts[1], whole[1])).isEqualTo(-1);
    }
    try (VocabularyHead head = tiled.head(weight(600, 1), null, FloatType.FLOAT32)) {
      assertThat(head.vocabulary()).isEqualTo(600);
    }
  }
}
