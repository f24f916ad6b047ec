/** An output folder as a database: its tables, their statements, and a prompt. */
package org.cliffwatch.jobs.sql;
