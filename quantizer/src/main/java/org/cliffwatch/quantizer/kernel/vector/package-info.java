/**
 * Row operations on the Vector API of JDK 17 ({@code --add-modules jdk.incubator.vector}).
 *
 * <p>A row's bits depend on its own values alone, on any processor, interpreted or compiled: every
 * value goes through the same operations in the same order. Sums are made in 16 interleaved parts
 * whatever the width of a vector and joined in a fixed tree; {@code reduceLanes(ADD)} on floats,
 * whose order is not specified, is not used. What a lane computes does not depend on how many lanes
 * there are.
 *
 * <p>What takes or returns vectors is in {@code VectorMath} and to be inlined; everything else is
 * compiled by itself, one kind of loop a method. HotSpot stops inlining where a method has grown
 * large (its {@code NodeCountInliningCutoff}), and a vector that passes a call becomes an object:
 * inlined into their callers, these loops would be a quarter to five times slower in some runs and
 * not in others. {@code compiler-directives.json} says so to the compiler of every JVM that loads
 * the package.
 */
package org.cliffwatch.quantizer.kernel.vector;
