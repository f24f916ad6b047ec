package org.cliffwatch.quantizer.kernel.onednn;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
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
import org.cliffwatch.quantizer.kernel.vector.VectorColumns;
import org.cliffwatch.quantizer.kernel.vector.VectorOperations;
import org.cliffwatch.quantizer.scheme.LinearForm;
import org.cliffwatch.quantizer.scheme.Precision;
import org.cliffwatch.quantizer.scheme.Scheme;
import org.cliffwatch.quantizer.scheme.Schemes;

/** Products by oneDNN, everything else on the Vector API. */
final class OneDnnBackend extends HostBackend {
  private final String kernel;
  private final Packing packing;
  private final Workspaces workspaces;
  private final HostOperations operations = new VectorOperations();

  OneDnnBackend(String kernel, Packing packing, Workspaces workspaces) {
    this.kernel = kernel;
    this.packing = packing;
    this.workspaces = workspaces;
  }

  @Override
  public String name() {
    return "onednn";
  }

  @Override
  public String kernel() {
    return kernel;
  }

  @Override
  public Linear linear(List<Projection> projections, Precision precision) {
    Scheme scheme = Schemes.of(precision);
    List<LinearForm> forms =
        projections.stream().map(p -> scheme.prepare(p.weight(), precision)).toList();
    List<Linear> layers = new ArrayList<>();
    try {
      for (int first = 0; first < forms.size(); ) {
        int last = first + 1;
        while (last < forms.size() && forms.get(first).sharesInput(forms.get(last))) {
          last++;
        }
        layers.add(
            linear(
                projections.subList(first, last), forms.subList(first, last), precision.compute()));
        first = last;
      }
    } catch (RuntimeException | Error e) {
      layers.forEach(Linear::close);
      throw e;
    }
    return layers.size() == 1 ? layers.get(0) : new JoinedLinear(layers);
  }

  private Linear linear(List<Projection> projections, List<LinearForm> forms, FloatType compute) {
    if (forms.get(0) instanceof LinearForm.Coded coded) {
      return new CodedLinear(
          packing.library(),
          workspaces,
          packing.panels(coded.weight().columns(), coded.type()),
          coded.inputs(),
          forms.stream().map(form -> ((LinearForm.Coded) form).weight()).toList(),
          projections.stream().map(Projection::bias).collect(Collectors.toList()),
          compute);
    }
    List<List<Layer>> layers = new ArrayList<>();
    try {
      for (LinearForm form : forms) {
        layers.add(packing.pack(form));
      }
      return OutlierLinear.around(
          new OneDnnLinear(workspaces, projections, layers, compute),
          forms,
          compute,
          VectorColumns::new);
    } catch (RuntimeException | Error e) {
      layers.forEach(parts -> parts.forEach(Layer::close));
      throw e;
    }
  }

  @Override
  public VocabularyHead head(
      WeightRows weight, float[] bias, FloatType compute, LogitTransform transform) {
    return new OneDnnHead(packing, workspaces, weight, bias, compute, transform);
  }

  @Override
  public HostOperations operations() {
    return operations;
  }
}
