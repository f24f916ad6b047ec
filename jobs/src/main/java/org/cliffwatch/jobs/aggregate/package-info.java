/** Scores → metrics and degradation: mergeable states, paired statistics, two tables a model. */
package org.cliffwatch.jobs.aggregate;
