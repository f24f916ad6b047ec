/** Was tonight worse than what was accepted? Rules, paired tests, accepted runs (GATE.md). */
package org.cliffwatch.jobs.gate;
