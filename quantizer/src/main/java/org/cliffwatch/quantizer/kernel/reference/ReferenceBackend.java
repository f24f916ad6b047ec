package org.cliffwatch.quantizer.kernel.reference;

import java.util.ArrayList;
import java.util.List;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.kernel.HostBackend;
import org.cliffwatch.quantizer.kernel.HostOperations;
import org.cliffwatch.quantizer.kernel.JoinedLinear;
import org.cliffwatch.quantizer.kernel.Linear;
import org.cliffwatch.quantizer.kernel.LogitTransform;
import org.cliffwatch.quantizer.kernel.OutlierLinear;
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
    List<LinearForm> forms =
        projections.stream()
            .map(each -> Schemes.of(precision).prepare(each.weight(), precision))
            .toList();
    List<Linear> layers = new ArrayList<>();
    try {
      for (int p = 0; p < forms.size(); p++) {
        List<LinearForm> form = forms.subList(p, p + 1);
        Linear layer =
            new ReferenceLinear(
                projections.get(p), ReferenceProduct.of(forms.get(p)), precision.compute());
        layers.add(OutlierLinear.around(layer, form, precision.compute()));
      }
    } catch (RuntimeException | Error e) {
      layers.forEach(Linear::close);
      throw e;
    }
    return new JoinedLinear(layers);
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
