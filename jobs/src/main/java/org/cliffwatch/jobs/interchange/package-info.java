/** lm-evaluation-harness's logs, in and out. */
package org.cliffwatch.jobs.interchange;
