/** What users ask for: suites in YAML, flags and environment. */
package org.cliffwatch.jobs.suite;
