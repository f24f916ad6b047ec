package org.cliffwatch.quantizer.model;

/** What calibration calls a block's parts, whatever a family's tensors are called. */
record LayerNames(int number) {
  /** An expert's linear layers, or those of a feed-forward for all rows. */
  record Expert(String prefix) {
    private static final String DOWN = "down";

    String gate() {
      return prefix + "gate";
    }

    String up() {
      return prefix + "up";
    }

    String down() {
      return prefix + DOWN;
    }
  }

  /** Whether a layer is the last of an expert. */
  static boolean isDown(String name) {
    return name.endsWith("." + Expert.DOWN);
  }

  private String of(String part) {
    return "layers." + number + "." + part;
  }

  String attentionNorm() {
    return of("attention_norm");
  }

  String query() {
    return of("query");
  }

  String key() {
    return of("key");
  }

  String value() {
    return of("value");
  }

  String attentionOutput() {
    return of("attention_output");
  }

  String feedForwardNorm() {
    return of("feed_forward_norm");
  }

  String router() {
    return of("router");
  }

  /**
   * @param expert its number; −1 where there is no router
   */
  Expert expert(int expert) {
    return new Expert(of(expert < 0 ? "" : "experts." + expert + "."));
  }
}
