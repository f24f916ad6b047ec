/** What a Spark executor has at hand: copies of checkpoints, its GPU. */
package org.cliffwatch.jobs.executor;
