package org.cliffwatch.jobs;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.core.importer.ImportOption.DoNotIncludeTests;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;

@AnalyzeClasses(packages = "org.cliffwatch", importOptions = DoNotIncludeTests.class)
class ModuleBoundariesTest {
  @ArchTest
  static final ArchRule quantizerKnowsNeitherSparkNorTasks =
      noClasses()
          .that()
          .resideInAPackage("org.cliffwatch.quantizer..")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage(
              "org.apache.spark..",
              "org.apache.hadoop..",
              "org.cliffwatch.tasks..",
              "org.cliffwatch.jobs..");

  @ArchTest
  static final ArchRule tasksKnowNeitherSparkNorModels =
      noClasses()
          .that()
          .resideInAPackage("org.cliffwatch.tasks..")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage(
              "org.apache.spark..", "org.cliffwatch.quantizer..", "org.cliffwatch.jobs..");

  @ArchTest
  static final ArchRule aBackendIsFoundAndNotLinked =
      noClasses()
          .that()
          .resideInAPackage("org.cliffwatch..")
          .and()
          .resideOutsideOfPackages(
              "org.cliffwatch.quantizer.kernel.cuda..",
              "org.cliffwatch.quantizer.kernel.onednn..",
              "org.cliffwatch.quantizer.kernel.reference..",
              "org.cliffwatch.quantizer.kernel",
              "org.cliffwatch.quantizer.train..")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage("org.bytedeco..", "org.nd4j..");

  @ArchTest
  static final ArchRule tablesAndStatisticsDoNotRunAnything =
      noClasses()
          .that()
          .resideInAnyPackage("org.cliffwatch.jobs.table..", "org.cliffwatch.jobs.suite..")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage("org.cliffwatch.jobs.plan..", "org.cliffwatch.jobs.run..");
}
