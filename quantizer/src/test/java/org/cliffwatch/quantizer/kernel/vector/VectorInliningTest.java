package org.cliffwatch.quantizer.kernel.vector;

import static com.tngtech.archunit.base.DescribedPredicate.describe;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noMethods;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.importer.ImportOption.DoNotIncludeTests;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;
import java.lang.management.ManagementFactory;
import javax.management.JMException;
import javax.management.ObjectName;
import org.junit.jupiter.api.Test;

/** What the compiler is told by name: the package says why. */
@AnalyzeClasses(
    packages = "org.cliffwatch.quantizer.kernel.vector",
    importOptions = DoNotIncludeTests.class)
class VectorInliningTest {
  private static final String VECTORS = "jdk.incubator.vector";

  @ArchTest
  static final ArchRule onlyVectorMathPassesVectors =
      noMethods()
          .that()
          .areDeclaredInClassesThat()
          .doNotHaveSimpleName(VectorMath.class.getSimpleName())
          .should()
          .haveRawReturnType(resideInAPackage(VECTORS))
          .orShould()
          .haveRawParameterTypes(
              describe(
                  "with a vector", types -> types.stream().anyMatch(resideInAPackage(VECTORS))));

  /** Whatever options the JVM was started with. */
  @Test
  void theCompilerIsTold() throws JMException {
    new VectorOperations().add(new float[1], new float[1], 1);
    Object directives =
        ManagementFactory.getPlatformMBeanServer()
            .invoke(
                new ObjectName("com.sun.management:type=DiagnosticCommand"),
                "compilerDirectivesPrint",
                new Object[0],
                new String[0]);
    String path = VectorMath.class.getPackageName().replace('.', '/');
    assertThat((String) directives)
        .contains("inline: +" + path + "/VectorMath.*, -" + path + "/*.*");
  }
}
