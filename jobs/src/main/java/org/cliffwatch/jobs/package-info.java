/**
 * The commands, and nothing else: what each does lies in the packages below, by stage. The only
 * module with Spark.
 */
package org.cliffwatch.jobs;
