package org.cliffwatch.quantizer.score;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.IdentityHashMap;
import java.util.Map;
import org.cliffwatch.quantizer.kernel.Backend;
import org.cliffwatch.quantizer.kernel.Backends;
import org.cliffwatch.quantizer.kernel.Linear;
import org.cliffwatch.quantizer.kernel.VocabularyHead;

/**
 * The reference backend, which keeps account of what it has packed and how often that is closed.
 */
final class TrackedBackend {
  /** How often everything packed was closed. */
  private final Map<Object, Integer> closed = new IdentityHashMap<>();

  private final Backend backend;
  private boolean packing;

  /**
   * @param first runs when the first layer has been packed
   */
  TrackedBackend(Runnable first) {
    backend =
        proxy(
            Backend.class,
            Backends.open("reference"),
            (method, result) -> {
              if (result instanceof Linear linear) {
                if (!packing) {
                  packing = true;
                  first.run();
                }
                return tracked(Linear.class, linear);
              }
              return result instanceof VocabularyHead head
                  ? tracked(VocabularyHead.class, head)
                  : result;
            });
  }

  Backend backend() {
    return backend;
  }

  Iterable<Integer> closings() {
    return closed.values();
  }

  private <T> T tracked(Class<T> type, T packed) {
    closed.put(packed, 0);
    return proxy(
        type,
        packed,
        (method, result) -> {
          if (method.equals("close")) {
            closed.merge(packed, 1, Integer::sum);
          }
          return result;
        });
  }

  /** What a method's result becomes. */
  private interface After {
    Object result(String method, Object result);
  }

  private static <T> T proxy(Class<T> type, T target, After after) {
    return type.cast(
        Proxy.newProxyInstance(
            type.getClassLoader(),
            new Class<?>[] {type},
            (self, method, arguments) -> {
              try {
                return after.result(method.getName(), method.invoke(target, arguments));
              } catch (InvocationTargetException e) {
                throw e.getCause();
              }
            }));
  }
}
