/**
 * Products by ND4J in float32, meant to be read and to test the fast backends against. Integer
 * products are exact: sums of at most 1024 products of 8-bit codes are integers that float32 holds.
 */
package org.cliffwatch.quantizer.kernel.reference;
