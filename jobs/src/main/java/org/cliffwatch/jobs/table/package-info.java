/** The tables: their columns, files and folders ({@code jobs/TABLES.md}). */
package org.cliffwatch.jobs.table;
