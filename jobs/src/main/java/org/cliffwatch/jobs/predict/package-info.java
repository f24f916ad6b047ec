/**
 * Predicts what a precision costs a checkpoint before anybody evaluates it: {@link
 * org.cliffwatch.jobs.predict.FeatureTable} makes rows of the tables, {@link
 * org.cliffwatch.jobs.predict.Predictor} learns from them with Spark's MLlib. Method and
 * definitions: {@code jobs/PREDICTOR.md}.
 */
package org.cliffwatch.jobs.predict;
