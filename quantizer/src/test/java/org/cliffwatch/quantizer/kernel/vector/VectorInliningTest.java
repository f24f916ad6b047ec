package org.cliffwatch.quantizer.kernel.vector;

import static com.tngtech.archunit.base.DescribedPredicate.describe;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noMethods;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.importer.ImportOption.DoNotIncludeTests;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
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

  @Test
  void everyJvmIsToldTheSame() throws IOException {
    String all = VectorMath.class.getPackageName() + ".*::*";
    String vectorMath = VectorMath.class.getName() + "::*";
    for (String file : new String[] {"../submit/lib.sh", "../conf/spark-defaults.conf"}) {
      assertThat(Files.readString(Path.of(file)))
          .as(file)
          .containsSubsequence(
              "-XX:CompileCommand=quiet",
              "-XX:CompileCommand=dontinline," + all,
              "-XX:CompileCommand=inline," + vectorMath);
    }
  }
}
