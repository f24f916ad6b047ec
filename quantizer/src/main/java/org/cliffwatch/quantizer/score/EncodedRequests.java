package org.cliffwatch.quantizer.score;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.cliffwatch.quantizer.InvalidInputException;

/** Requests as token sequences of one checkpoint's tokenizer, or why they have none. */
public final class EncodedRequests {
  /**
   * @param sequences whose scores add up to the request's: one, or a rolling request's windows
   * @param refusal why it cannot be scored, or null
   */
  private record Encoded(List<TokenSequence> sequences, String refusal) {}

  private final List<Encoded> requests;

  private EncodedRequests(List<Encoded> requests) {
    this.requests = requests;
  }

  static EncodedRequests of(List<Request> requests, RequestEncoder encoder) {
    List<Encoded> encoded = new ArrayList<>();
    for (Request request : requests) {
      try {
        encoded.add(new Encoded(encoder.encode(request), null));
      } catch (RequestEncoder.Refused | InvalidInputException e) {
        encoded.add(new Encoded(List.of(), e.getMessage()));
      }
    }
    return new EncodedRequests(encoded);
  }

  public int size() {
    return requests.size();
  }

  /** Token ids held, contexts and continuations: four bytes each. */
  public long tokens() {
    return requests.stream()
        .flatMap(request -> request.sequences().stream())
        .mapToLong(sequence -> (long) sequence.input().length + sequence.targets().length)
        .sum();
  }

  List<TokenSequence> sequences(int request) {
    return requests.get(request).sequences();
  }

  Optional<String> refusal(int request) {
    return Optional.ofNullable(requests.get(request).refusal());
  }
}
