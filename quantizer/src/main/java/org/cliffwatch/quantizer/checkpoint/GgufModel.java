package org.cliffwatch.quantizer.checkpoint;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A GGUF file seen as the Hugging Face checkpoint it was converted from: {@code config.json},
 * tensor names, shapes and the order of rows, undoing {@code convert_hf_to_gguf.py} of
 * ggml-org/llama.cpp.
 */
final class GgufModel {
  private final GgufFile file;
  private final GgufFields fields;
  private final GgufNames names;
  private final ObjectNode config = JsonNodeFactory.instance.objectNode();

  GgufModel(GgufFile file) {
    this.file = file;
    GgufArchitecture architecture = GgufArchitecture.of(file);
    fields = new GgufFields(file, architecture.name());
    config.put("model_type", architecture.modelType());
    names = architecture.reader().read(fields, config);
    config.put("tie_word_embeddings", !fields.hasTensor("output.weight"));
    specialToken("bos_token_id");
    specialToken("eos_token_id");
    fields.requireAllRead();
  }

  /** What {@code config.json} said, as far as the file tells. */
  ConfigFields config() {
    return ConfigFields.of(file.path().toString(), config);
  }

  /** Every tensor under its Hugging Face name; one we do not know keeps its own. */
  Map<String, StoredTensor> tensors() {
    Map<String, StoredTensor> tensors = new LinkedHashMap<>();
    for (GgufFile.Tensor tensor : file.tensors()) {
      if (!fields.isRead(tensor.name())) {
        names.translate(tensor, fields, stored -> put(tensors, tensor, stored));
      }
    }
    return tensors;
  }

  private void put(Map<String, StoredTensor> tensors, GgufFile.Tensor tensor, StoredTensor stored) {
    if (tensors.put(stored.name(), stored) != null) {
      throw file.error("tensor " + tensor.name(), "stands for " + stored.name() + ", as another");
    }
  }

  private void specialToken(String name) {
    String key = "tokenizer.ggml." + name;
    if (file.has(key)) {
      config.put(name, file.integer(key));
    }
  }
}
