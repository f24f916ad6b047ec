/**
 * Outlier channels, which make a model hard to quantize: {@link
 * org.cliffwatch.quantizer.outliers.OutlierPlanting} puts them where there were none.
 */
package org.cliffwatch.quantizer.outliers;
