package org.cliffwatch.jobs.report;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.SerializableString;
import com.fasterxml.jackson.core.io.CharacterEscapes;
import com.fasterxml.jackson.core.io.SerializedString;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Base64;
import java.util.Map;
import java.util.Properties;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Puts a page together from its template, style, script, the plotting library and the data, all
 * inside one file. Its policy lets no request out, and nothing run but the two scripts, by their
 * hashes; the data are JSON in which no tag can begin.
 */
final class Page {
  private static final Pattern PLACEHOLDER = Pattern.compile("\\{\\{([a-z]+)}}");

  private static final String LIBRARY_PROPERTIES =
      "/META-INF/maven/org.mvnpm/echarts/pom.properties";
  private static final String LIBRARY =
      "/META-INF/resources/_static/echarts/%s/dist/echarts.min.js";

  private Page() {}

  /**
   * @param title plain text
   * @param data JSON, as {@link #json} writes it
   */
  static String of(String title, String data) {
    String library = script(resource(LIBRARY.formatted(libraryVersion())));
    String script = script(resource("report.js"));
    String policy =
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src %s %s; base-uri 'none'; form-action 'none'"
            .formatted(hash(library), hash(script));
    Map<String, String> parts =
        Map.of(
            "title", text(title),
            "policy", policy,
            "style", resource("report.css"),
            "data", data,
            "library", library,
            "script", script);
    StringBuilder page = new StringBuilder();
    Matcher placeholder = PLACEHOLDER.matcher(resource("report.html"));
    while (placeholder.find()) {
      placeholder.appendReplacement(page, "");
      page.append(parts.get(placeholder.group(1)));
    }
    placeholder.appendTail(page);
    return page.toString();
  }

  /** Of the statement or part of this package, or with a slash of any other. */
  static String resource(String name) {
    try (InputStream in = Page.class.getResourceAsStream(name)) {
      if (in == null) {
        throw new IllegalStateException(name + " is not on the class path");
      }
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException("cannot read " + name, e);
    }
  }

  private static String libraryVersion() {
    Properties properties = new Properties();
    try (InputStream in = Page.class.getResourceAsStream(LIBRARY_PROPERTIES)) {
      if (in == null) {
        throw new IllegalStateException(LIBRARY_PROPERTIES + " is not on the class path");
      }
      properties.load(in);
    } catch (IOException e) {
      throw new UncheckedIOException("cannot read " + LIBRARY_PROPERTIES, e);
    }
    return properties.getProperty("version");
  }

  /** A script that does not end the element it is in. */
  private static String script(String source) {
    return source.replace("</script", "<\\/script").replace("<!--", "<\\!--");
  }

  private static String hash(String script) {
    try {
      byte[] digest =
          MessageDigest.getInstance("SHA-256").digest(script.getBytes(StandardCharsets.UTF_8));
      return "'sha256-" + Base64.getEncoder().encodeToString(digest) + "'";
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  private static String text(String plain) {
    return plain.replace("&", "&amp;").replace("<", "&lt;");
  }

  /** JSON for inside a script element: every {@code <} is escaped. */
  static String json(Object data) {
    ObjectMapper mapper = new ObjectMapper();
    mapper.getFactory().setCharacterEscapes(new NoTags());
    try {
      return mapper.writeValueAsString(data);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }

  private static final class NoTags extends CharacterEscapes {
    private static final long serialVersionUID = 1L;

    private final int[] ascii = standardAsciiEscapesForJSON();

    NoTags() {
      ascii['<'] = ESCAPE_CUSTOM;
    }

    @Override
    public int[] getEscapeCodesForAscii() {
      return ascii.clone();
    }

    @Override
    public SerializableString getEscapeSequence(int character) {
      return character == '<' ? new SerializedString("\\u003c") : null;
    }
  }
}
