/** Suite → plan: what is to be scored, under which identity, and cut into which units. */
package org.cliffwatch.jobs.plan;
