package org.cliffwatch.quantizer.kernel;

import java.util.List;
import java.util.function.BiFunction;
import org.cliffwatch.quantizer.scheme.Precision;

/** A backend whose layers a test has made, and whose rest is the real one's. */
final class PlantedBackend extends HostBackend {
  private final Backend real;
  private final BiFunction<List<Projection>, Precision, Linear> linears;

  PlantedBackend(Backend real, BiFunction<List<Projection>, Precision, Linear> linears) {
    this.real = real;
    this.linears = linears;
  }

  @Override
  public String name() {
    return real.name();
  }

  @Override
  public String kernel() {
    return real.kernel();
  }

  @Override
  public Linear linear(List<Projection> projections, Precision precision) {
    return linears.apply(projections, precision);
  }

  @Override
  public VocabularyHead head(
      WeightRows weight, float[] bias, FloatType compute, LogitTransform transform) {
    return real.head(weight, bias, compute, transform);
  }

  @Override
  public HostOperations operations() {
    return real.operations();
  }
}
