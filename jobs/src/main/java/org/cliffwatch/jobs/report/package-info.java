/** One HTML file that shows what the tables hold: figures, flips, and the SQL behind them. */
package org.cliffwatch.jobs.report;
