package org.cliffwatch.quantizer.kernel.reference;

import java.util.ArrayList;
import java.util.List;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.kernel.HostBackend;
import org.cliffwatch.quantizer.kernel.HostOperations;
import org.cliffwatch.quantizer.kernel.Linear;
import org.cliffwatch.quantizer.kernel.LogitTransform;
import org.cliffwatch.quantizer.kernel.Projection;
import org.cliffwatch.quantizer.kernel.VocabularyHead;
import org.cliffwatch.quantizer.kernel.WeightRows;
import org.cliffwatch.quantizer.scheme.LinearForm;
import org.cliffwatch.quantizer.scheme.Precision;
import org.cliffwatch.quantizer.scheme.Schemes;

/** Every form of linear layer, written to be read. */
final class ReferenceBackend extends HostBackend {
  private final String kernel;

  ReferenceBackend(String kernel) {
    this.kernel = kernel;
  }

  @Override
  public String name() {
    return "reference";
  }

  @Override
  public String kernel() {
    return kernel;
  }

  @Override
  public Linear linear(List<Projection> projections, Precision precision) {
    List<ReferenceProduct> products = new ArrayList<>();
    try {
      for (Projection projection : projections) {
        LinearForm form = Schemes.of(precision).prepare(projection.weight(), precision);
        products.add(ReferenceProduct.of(form));
      }
    } catch (RuntimeException | Error e) {
      products.forEach(ReferenceProduct::close);
      throw e;
    }
    return new ReferenceLinear(projections, products, precision.compute());
  }

  @Override
  public VocabularyHead head(
      WeightRows weight, float[] bias, FloatType compute, LogitTransform transform) {
    return new ReferenceHead(weight, bias, compute, transform);
  }

  @Override
  public HostOperations operations() {
    return new ScalarOperations();
  }
}
