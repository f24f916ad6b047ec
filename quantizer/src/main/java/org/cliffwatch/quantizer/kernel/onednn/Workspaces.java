package org.cliffwatch.quantizer.kernel.onednn;

import java.util.concurrent.ConcurrentLinkedDeque;
import java.util.function.Consumer;

/** Workspaces not in use; as many are ever made as threads multiply at once. */
final class Workspaces {
  private final OneDnn library;
  private final ConcurrentLinkedDeque<Workspace> idle = new ConcurrentLinkedDeque<>();

  Workspaces(OneDnn library) {
    this.library = library;
  }

  /** Runs the action with a workspace of its own. */
  void use(Consumer<Workspace> action) {
    Workspace workspace = idle.pollFirst();
    if (workspace == null) {
      workspace = new Workspace(library);
    }
    try {
      action.accept(workspace);
    } catch (RuntimeException | Error e) {
      workspace.close();
      throw e;
    }
    idle.addFirst(workspace);
  }
}
