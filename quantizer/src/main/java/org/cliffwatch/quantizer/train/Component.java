package org.cliffwatch.quantizer.train;

import java.util.List;
import java.util.stream.IntStream;

/**
 * One of K parts that a decoder's blocks are cut into, with heads that make logits of their outputs
 * (Gomez et al. 2022, "Interlocking Backpropagation"). Every head learns from its own loss. A
 * component's other weights learn from the loss N − 1 components farther on, or from the last: N =
 * 1 is local learning, N = 2 pairwise, N = K end to end. The first holds the embedding; the last
 * one's head is the model's, the others' are auxiliary.
 *
 * <p>A loss is named by the component that has it; components are counted from 0.
 *
 * @param index of this component
 * @param count K
 * @param nwise N, 1 to K
 * @param firstLayer of its blocks
 * @param endLayer after its last block
 */
record Component(int index, int count, int nwise, int firstLayer, int endLayer) {
  /** A decoder that is not cut. */
  static Component whole(ModelShape shape) {
    return new Component(0, 1, 1, 0, shape.layers());
  }

  /**
   * Components of as many blocks each as can be; where they are not all the same, later ones have
   * one more.
   */
  static List<Component> cut(ModelShape shape, int count, int nwise) {
    return IntStream.range(0, count)
        .mapToObj(
            k ->
                new Component(
                    k, count, nwise, k * shape.layers() / count, (k + 1) * shape.layers() / count))
        .toList();
  }

  boolean isFirst() {
    return index == 0;
  }

  boolean isLast() {
    return index == count - 1;
  }

  boolean holdsLayer(int layer) {
    return layer >= firstLayer && layer < endLayer;
  }

  /** The loss that the weights outside the head learn from. */
  int learnsFrom() {
    return Math.min(index + nwise - 1, count - 1);
  }

  /** Whether there is a head to learn from; where no component does, there is none. */
  boolean hasLoss() {
    return carries(index);
  }

  /** Whether a loss's gradient comes through here: to this component, or to one before it. */
  boolean carries(int loss) {
    return index <= loss && reaches(loss, index);
  }

  /** Whether the component before this one needs a loss's gradient. */
  boolean sendsBack(int loss) {
    return index > 0 && index <= loss && reaches(loss, index - 1);
  }

  /** Whether a component up to {@code farthest} learns from a loss. */
  private boolean reaches(int loss, int farthest) {
    int first = loss - nwise + 1;
    return first <= farthest && (first >= 0 || loss == count - 1);
  }
}
