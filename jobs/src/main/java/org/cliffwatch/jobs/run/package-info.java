/** Plan → committed scores: units on executors, cells in storage, and the flow of a whole run. */
package org.cliffwatch.jobs.run;
