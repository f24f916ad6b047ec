package org.cliffwatch.quantizer.kernel.onednn;

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
import org.cliffwatch.quantizer.kernel.vector.VectorOperations;
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
    List<List<Layer>> layers = new ArrayList<>();
    try {
      for (Projection projection : projections) {
        layers.add(packing.pack(scheme.prepare(projection.weight(), precision)));
      }
      return new OneDnnLinear(workspaces, projections, layers, precision.compute());
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
