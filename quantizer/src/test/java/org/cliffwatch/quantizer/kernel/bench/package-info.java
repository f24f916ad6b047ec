/**
 * JMH benches of the kernels. Each checks its answer before it is timed. From the repository's
 * root, with a part of a bench's name:
 *
 * <pre>
 * mvn -q -Pquick -pl quantizer test-compile exec:exec -Dexec.executable=java \
 *   -Dexec.classpathScope=test \
 *   -Dexec.args="--add-modules=jdk.incubator.vector -cp %classpath org.openjdk.jmh.Main LinearBench"
 * </pre>
 */
package org.cliffwatch.quantizer.kernel.bench;
