/**
 * Templates in Jinja, rendered as Jinja2 renders them and with no way out of them. The statements
 * are jinjava's; the expressions are ours, since jinjava's are Java's: {@code '1' == 1}, {@code -7
 * % 3}, {@code none} and undefined differ there from Python's without a word. What is not known
 * here is refused by name, never rendered otherwise.
 */
package org.cliffwatch.tasks.jinja;
