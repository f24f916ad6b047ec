package org.cliffwatch.quantizer.kernel.cuda;

import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.kernel.Backend;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.kernel.HostOperations;
import org.cliffwatch.quantizer.kernel.LogitTransform;
import org.cliffwatch.quantizer.kernel.Projection;
import org.cliffwatch.quantizer.kernel.VocabularyHead;
import org.cliffwatch.quantizer.kernel.WeightRows;
import org.cliffwatch.quantizer.scheme.LinearForm;
import org.cliffwatch.quantizer.scheme.Precision;
import org.cliffwatch.quantizer.scheme.Scheme;
import org.cliffwatch.quantizer.scheme.Schemes;

/** Everything on one device: a GPU, or its emulation. */
final class DeviceBackend implements Backend {
  /** Rows enough that a product has a block for every multiprocessor of a large GPU. */
  private static final int BATCH_ROWS = 2048;

  private final String name;
  private final String kernel;
  private final Device device;
  private final Packing packing;

  DeviceBackend(String name, String kernel, Device device) {
    this(name, kernel, device, new Packing(device));
  }

  private DeviceBackend(String name, String kernel, Device device, Packing packing) {
    this.name = name;
    this.kernel = kernel;
    this.device = device;
    this.packing = packing;
  }

  /** The same under its whole kernel identity. */
  DeviceBackend withKernel(String whole) {
    return new DeviceBackend(name, whole, device, packing);
  }

  Device device() {
    return device;
  }

  Packing packing() {
    return packing;
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public String kernel() {
    return kernel;
  }

  @Override
  public DeviceLinear linear(List<Projection> projections, Precision precision) {
    if (precision.quantizesKeyValues()) {
      throw new InvalidInputException(
          "precision "
              + precision.name()
              + ": kv_cache_dtype: found int8, but backend cuda keeps keys and values as they are"
              + " computed; expected auto, or backend onednn or reference");
    }
    Scheme scheme = Schemes.of(precision);
    List<LinearForm> forms = new ArrayList<>();
    for (Projection projection : projections) {
      forms.add(scheme.prepare(projection.weight(), precision));
    }
    return new DeviceLinear(this, Storage.of(precision.compute()), projections, forms);
  }

  @Override
  public VocabularyHead head(
      WeightRows weight, float[] bias, FloatType compute, LogitTransform transform) {
    return new DeviceHead(this, weight, bias, Storage.of(compute), transform);
  }

  @Override
  public HostOperations operations() {
    return new DeviceOperations(this);
  }

  @Override
  public DeviceConstants constants(float[] values) {
    return new DeviceConstants(packing.vector(values, Storage.F32), values.length);
  }

  @Override
  public DeviceConstants table(WeightRows rows, FloatType type) {
    return new DeviceConstants(packing.table(rows, Storage.of(type)), rows.rows());
  }

  @Override
  public DeviceSession session(FloatType compute) {
    return new DeviceSession(device, Storage.of(compute));
  }

  @Override
  public int batchRows() {
    return BATCH_ROWS;
  }

  @Override
  public OptionalLong deviceBytes() {
    return OptionalLong.of(device.bytes());
  }
}
