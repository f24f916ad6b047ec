package org.cliffwatch.quantizer.kernel;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.ServiceConfigurationError;
import java.util.ServiceLoader;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import org.cliffwatch.quantizer.InvalidInputException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The backends on the class path and the choice among them. Found by {@link ServiceLoader}: a class
 * path without one native library only lacks that backend.
 */
public final class Backends {
  /** The name that leaves the choice to {@link #choose}. */
  public static final String AUTO = "auto";

  /** What {@link #AUTO} prefers, best first; {@code cuda} is used only when it is asked for. */
  private static final List<String> PREFERENCE = List.of("onednn", "reference");

  private static final Logger LOG = LoggerFactory.getLogger(Backends.class);
  private static final ServiceLoader<BackendProvider> LOADER =
      ServiceLoader.load(BackendProvider.class, Backends.class.getClassLoader());
  private static final Map<String, Backend> OPENED = new ConcurrentHashMap<>();

  private Backends() {}

  /**
   * What this machine offers, of the backends that were asked.
   *
   * @param kernels kernel identity by backend name
   * @param reasons why not, by backend name
   */
  public record Offer(Map<String, String> kernels, Map<String, String> reasons) {}

  /** Asks every backend on the class path; loads their native libraries. */
  public static Offer offer() {
    return ask(provider -> true, false);
  }

  /** Asks only as far as {@link #choose} needs to know. */
  private static Offer offer(String wanted) {
    return wanted.equals(AUTO)
        ? ask(provider -> PREFERENCE.contains(provider.name()), true)
        : ask(provider -> provider.name().equals(wanted), true);
  }

  private static Offer ask(Predicate<BackendProvider> which, boolean firstOnly) {
    Map<String, String> kernels = new TreeMap<>();
    Map<String, String> reasons = new TreeMap<>();
    for (BackendProvider provider : providers(reasons)) {
      if (which.test(provider) && (!firstOnly || kernels.isEmpty())) {
        try {
          kernels.put(provider.name(), provider.open(null).kernel());
        } catch (BackendUnavailableException e) {
          reasons.put(provider.name(), e.getMessage());
        }
      }
    }
    return new Offer(kernels, reasons);
  }

  /**
   * Chooses a backend: a pure function of what the machine offers.
   *
   * @param wanted {@link #AUTO}, or a backend's name
   * @return the backend's name
   * @throws InvalidInputException when the wanted one, or every one, is missing, with the reason
   */
  public static String choose(String wanted, Offer offer) {
    if (!wanted.equals(AUTO)) {
      if (!offer.kernels().containsKey(wanted)) {
        throw new InvalidInputException(missing(wanted, offer));
      }
      return wanted;
    }
    return PREFERENCE.stream()
        .filter(offer.kernels()::containsKey)
        .findFirst()
        .orElseThrow(
            () ->
                new InvalidInputException(
                    String.join(
                        "; ", PREFERENCE.stream().map(name -> missing(name, offer)).toList())));
  }

  /**
   * Opens a backend with the machine's own instruction set, once a process.
   *
   * @param wanted {@link #AUTO}, {@code reference}, {@code onednn} or {@code cuda}
   */
  public static Backend open(String wanted) {
    return OPENED.computeIfAbsent(
        wanted,
        name -> {
          Offer offer = offer(name);
          String chosen = choose(name, offer);
          Backend backend = open(chosen, null);
          Optional<String> slower =
              name.equals(AUTO) ? passedOver(chosen, offer) : Optional.empty();
          slower.ifPresentOrElse(LOG::warn, () -> LOG.info("backend {}", backend.kernel()));
          return backend;
        });
  }

  /**
   * Opens the backend of a {@link KernelIdentity}: {@code onednn-3.11-avx512_vnni}. oneDNN can be
   * kept to less than the machine has, once a process and before its first product.
   *
   * @throws InvalidInputException when this machine or version cannot be that kernel
   */
  public static Backend openKernel(String kernel) {
    return OPENED.computeIfAbsent(
        kernel, identity -> open(KernelIdentity.of(identity).backend(), identity));
  }

  /**
   * Opens a backend kept to an instruction set, so that machines with other processors can be the
   * same kernel.
   *
   * @param wanted {@link #AUTO} or a backend's name
   * @param most what all of the machines have
   */
  public static Backend openWithin(String wanted, InstructionSet most) {
    Map<String, String> reasons = new TreeMap<>();
    for (BackendProvider provider : providers(reasons)) {
      boolean asked =
          wanted.equals(AUTO)
              ? PREFERENCE.contains(provider.name())
              : provider.name().equals(wanted);
      if (asked) {
        try {
          return openKernel(KernelIdentity.of(provider.kernel()).within(most).toString());
        } catch (BackendUnavailableException e) {
          reasons.put(provider.name(), e.getMessage());
        }
      }
    }
    throw new InvalidInputException(missing(wanted, new Offer(Map.of(), reasons)));
  }

  private static Backend open(String name, String kernel) {
    Map<String, String> reasons = new TreeMap<>();
    for (BackendProvider provider : providers(reasons)) {
      if (provider.name().equals(name)) {
        try {
          return provider.open(kernel);
        } catch (BackendUnavailableException e) {
          reasons.put(name, e.getMessage());
        }
      }
    }
    throw new InvalidInputException(missing(name, new Offer(Map.of(), reasons)));
  }

  /**
   * What to tell whoever left the choice to {@link #AUTO} and got less than it prefers.
   *
   * @param chosen the backend that was taken
   * @return a line that names it and why each better one is not used; empty if there is none
   */
  public static Optional<String> passedOver(String chosen) {
    return passedOver(chosen, offer(AUTO));
  }

  static Optional<String> passedOver(String chosen, Offer offer) {
    String reasons =
        PREFERENCE.stream()
            .takeWhile(name -> !name.equals(chosen))
            .filter(name -> !offer.kernels().containsKey(name))
            .map(name -> missing(name, offer))
            .collect(Collectors.joining("; "));
    return reasons.isEmpty()
        ? Optional.empty()
        : Optional.of(
            "backend %s is used, many times slower and with other scores: %s"
                .formatted(chosen, reasons));
  }

  private static String missing(String name, Offer offer) {
    return "backend %s is not available here: %s"
        .formatted(name, offer.reasons().getOrDefault(name, "it is not on the class path"));
  }

  /** In the order of preference, others after. */
  private static synchronized List<BackendProvider> providers(Map<String, String> reasons) {
    List<BackendProvider> found = new ArrayList<>();
    Iterator<BackendProvider> services = LOADER.iterator();
    while (true) {
      try {
        if (!services.hasNext()) {
          break;
        }
        found.add(services.next());
      } catch (ServiceConfigurationError e) {
        reasons.put("service file", String.valueOf(e.getMessage()));
      }
    }
    found.sort(
        Comparator.comparingInt(
            provider ->
                PREFERENCE.contains(provider.name())
                    ? PREFERENCE.indexOf(provider.name())
                    : PREFERENCE.size()));
    return found;
  }
}
