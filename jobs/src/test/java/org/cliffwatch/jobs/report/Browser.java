package org.cliffwatch.jobs.report;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** A Chromium without a window and without a network, by its DevTools protocol. */
final class Browser implements AutoCloseable {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Pattern LISTENING = Pattern.compile("DevTools listening on (ws://\\S+)");
  private static final long SECONDS = 60;

  private final Process process;
  private final WebSocket socket;
  private final AtomicInteger last = new AtomicInteger();
  private final Map<Integer, CompletableFuture<JsonNode>> answers = new ConcurrentHashMap<>();
  private final Queue<JsonNode> events = new ConcurrentLinkedQueue<>();
  private final String session;

  /**
   * Starts it with an empty page; skips the test, saying so, where none is installed.
   *
   * @param profile a folder of its own
   */
  Browser(Path profile) throws Exception {
    List<String> command = new ArrayList<>(List.of(installed()));
    command.addAll(
        List.of(
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--host-resolver-rules=MAP * ~NOTFOUND",
            "--remote-debugging-port=0",
            "--user-data-dir=" + profile,
            "about:blank"));
    process = new ProcessBuilder(command).redirectOutput(ProcessBuilder.Redirect.DISCARD).start();
    socket =
        HttpClient.newHttpClient()
            .newWebSocketBuilder()
            .buildAsync(URI.create(address()), new Listener())
            .get(SECONDS, TimeUnit.SECONDS);
    String target =
        command("", "Target.createTarget", Map.of("url", "about:blank")).at("/targetId").asText();
    session =
        command("", "Target.attachToTarget", Map.of("targetId", target, "flatten", true))
            .at("/sessionId")
            .asText();
    for (String domain : List.of("Page", "Runtime", "Log", "Network")) {
      command(domain + ".enable", Map.of());
    }
  }

  private static String installed() {
    List<String> names =
        List.of("chromium", "chromium-browser", "google-chrome-stable", "google-chrome");
    List<Path> found =
        Stream.of(System.getenv("PATH").split(":"))
            .flatMap(folder -> names.stream().map(Path.of(folder)::resolve))
            .filter(Files::isExecutable)
            .toList();
    assumeTrue(!found.isEmpty(), "skipped: none of " + names + " is on the PATH");
    return found.get(0).toString();
  }

  private String address() throws IOException {
    BufferedReader lines = process.errorReader();
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      Matcher listening = LISTENING.matcher(line);
      if (listening.find()) {
        Thread rest = new Thread(() -> lines.lines().forEach(each -> {}));
        rest.setDaemon(true);
        rest.start();
        return listening.group(1);
      }
    }
    throw new IOException("the browser ended without listening");
  }

  /** A command to the page, and what it answers. */
  JsonNode command(String method, Map<String, ?> parameters) throws Exception {
    return command(session, method, parameters);
  }

  private JsonNode command(String to, String method, Map<String, ?> parameters) throws Exception {
    int id = last.incrementAndGet();
    CompletableFuture<JsonNode> answer = new CompletableFuture<>();
    answers.put(id, answer);
    String message =
        JSON.writeValueAsString(
            to.isEmpty()
                ? Map.of("id", id, "method", method, "params", parameters)
                : Map.of("id", id, "method", method, "params", parameters, "sessionId", to));
    socket.sendText(message, true).get(SECONDS, TimeUnit.SECONDS);
    JsonNode answered = answer.get(SECONDS, TimeUnit.SECONDS);
    if (answered.has("error")) {
      throw new IOException(method + ": " + answered.get("error"));
    }
    return answered.path("result");
  }

  /** The value of an expression, or of what it promises, in the page. */
  JsonNode evaluate(String expression) throws Exception {
    JsonNode result =
        command(
            "Runtime.evaluate",
            Map.of("expression", expression, "returnByValue", true, "awaitPromise", true));
    if (result.has("exceptionDetails")) {
      throw new IOException(result.get("exceptionDetails").toString());
    }
    return result.at("/result/value");
  }

  /** Opens a page and waits until it is loaded. */
  void open(URI page) throws Exception {
    events.clear();
    command("Page.navigate", Map.of("url", page.toString()));
    evaluate(
        "new Promise(done => document.readyState === 'complete' ? done() :"
            + " addEventListener('load', done))");
  }

  /** What the page did since it was opened, in DevTools' words, of one kind. */
  List<JsonNode> events(String method) {
    return events.stream()
        .filter(event -> event.path("method").asText().equals(method))
        .map(event -> event.path("params"))
        .toList();
  }

  @Override
  public void close() throws Exception {
    socket.abort();
    process.destroy();
    if (!process.waitFor(SECONDS, TimeUnit.SECONDS)) {
      process.destroyForcibly().waitFor();
    }
  }

  private final class Listener implements WebSocket.Listener {
    private final StringBuilder message = new StringBuilder();

    @Override
    public CompletionStage<?> onText(WebSocket from, CharSequence part, boolean isLast) {
      message.append(part);
      if (isLast) {
        try {
          JsonNode read = JSON.readTree(message.toString());
          if (read.has("id")) {
            answers.remove(read.get("id").asInt()).complete(read);
          } else {
            events.add(read);
          }
        } catch (IOException e) {
          answers.values().forEach(answer -> answer.completeExceptionally(e));
        }
        message.setLength(0);
      }
      from.request(1);
      return null;
    }
  }
}
