package org.cliffwatch.quantizer.kernel.cuda;

/** Launches a kernel whose bound is right, or one too large: for the address sanitizer. */
final class PlantedBound {
  static final String KERNEL =
      """
      extern "C" void fill(int* x, int bound) {
        int i = blockIdx.x * blockDim.x + threadIdx.x;
        if (i < bound) x[i] = i;
      }
      """;

  private static final int COUNT = 100;

  private PlantedBound() {}

  /** Argument: how far beyond the memory's end the bound is. */
  public static void main(String[] arguments) {
    Emulation emulation = Emulation.of(KERNEL, true);
    long bytes = COUNT * (long) Integer.BYTES;
    long memory = emulation.function("device_allocate").invokeLong(new Object[] {bytes});
    emulation.launch("fill", 4, 1, 32, 0, memory, COUNT + Integer.parseInt(arguments[0]));
    System.out.println("launched");
  }
}
