/** What people look at: summaries, plots, text tables. */
package org.cliffwatch.jobs.present;
