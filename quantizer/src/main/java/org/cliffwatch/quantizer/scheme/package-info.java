/**
 * What a precision is and how its tensors are made: rows of {@code conf/precisions.yaml}, and the
 * schemes they name. No layer is run here; see {@link org.cliffwatch.quantizer.kernel}.
 */
package org.cliffwatch.quantizer.scheme;
