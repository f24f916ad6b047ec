/** Calibration text, and the files of what schemes find in it. */
package org.cliffwatch.quantizer.calibration;
