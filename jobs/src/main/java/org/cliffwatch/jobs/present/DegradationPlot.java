package org.cliffwatch.jobs.present;

import java.awt.BasicStroke;
import java.awt.Color;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.LongSummaryStatistics;
import java.util.Map;
import java.util.Optional;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.cliffwatch.jobs.aggregate.SliceResult;
import org.cliffwatch.jobs.table.DegradationRow;
import org.cliffwatch.jobs.table.Tables.Slice;
import org.cliffwatch.tasks.metric.Metric;
import org.knowm.xchart.VectorGraphicsEncoder;
import org.knowm.xchart.VectorGraphicsEncoder.VectorGraphicsFormat;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.XYSeries;
import org.knowm.xchart.style.Styler.LegendPosition;
import org.knowm.xchart.style.colors.ColorBlindFriendlySeriesColors;
import org.knowm.xchart.style.markers.Marker;
import org.knowm.xchart.style.markers.SeriesMarkers;

/**
 * The mean relative change of accuracy over training steps, a line a model and precision, with its
 * 95 % interval: the picture of a cliff (Ahmadian et al. 2023, figure 3, right).
 */
final class DegradationPlot {
  private static final String FILE = "degradation.svg";
  private static final int WIDTH = 960;
  private static final int HEIGHT = 540;

  private static final Color[] COLORS = new ColorBlindFriendlySeriesColors().getSeriesColors();
  private static final Marker[] MARKERS = {
    SeriesMarkers.CIRCLE, SeriesMarkers.TRIANGLE_DOWN, SeriesMarkers.SQUARE, SeriesMarkers.DIAMOND
  };
  private static final float[][] DASHES = {null, {6, 4}, {2, 3}, {8, 3, 2, 3}};

  /**
   * How far lines are set apart, so that intervals at one step can be told: a share of the axis.
   */
  private static final double APART = 0.006;

  private record Line(String model, String precision) {}

  private record Point(long step, double change, double low, double high) {}

  private DegradationPlot() {}

  /**
   * Writes {@code degradation.svg} beside the tables.
   *
   * @return where, or nothing where no mean could be made
   */
  static Optional<Path> write(List<SliceResult> results, String output, Configuration configuration)
      throws IOException {
    Map<Line, List<Point>> lines = lines(results);
    if (lines.isEmpty()) {
      return Optional.empty();
    }
    ByteArrayOutputStream svg = new ByteArrayOutputStream();
    VectorGraphicsEncoder.saveVectorGraphic(chart(lines), svg, VectorGraphicsFormat.SVG);
    Path file = new Path(output, FILE);
    try (OutputStream out = file.getFileSystem(configuration).create(file, true)) {
      svg.writeTo(out);
    }
    return Optional.of(file);
  }

  private static Map<Line, List<Point>> lines(List<SliceResult> results) {
    Map<Line, List<Point>> lines = new LinkedHashMap<>();
    for (SliceResult result : results) {
      DegradationRow mean = result.mean();
      if (mean != null && mean.metric().equals(Metric.ACC.toString()) && mean.relPct() != null) {
        double low = mean.relPctLow() == null ? mean.relPct() : mean.relPctLow();
        double high = mean.relPctHigh() == null ? mean.relPct() : mean.relPctHigh();
        Slice slice = result.slice();
        lines
            .computeIfAbsent(new Line(slice.model(), slice.precision()), line -> new ArrayList<>())
            .add(new Point(slice.step(), mean.relPct(), low, high));
      }
    }
    return lines;
  }

  private static XYChart chart(Map<Line, List<Point>> lines) {
    XYChart chart =
        new XYChartBuilder()
            .width(WIDTH)
            .height(HEIGHT)
            .title("Change of accuracy by quantization, mean over tasks")
            .xAxisTitle("training step")
            .yAxisTitle("relative to the baseline precision, %")
            .build();
    chart.getStyler().setLegendPosition(LegendPosition.OutsideE);
    chart.getStyler().setYAxisDecimalPattern("0.0");
    chart.getStyler().setXAxisDecimalPattern("0");
    chart.getStyler().setChartBackgroundColor(Color.WHITE);
    chart.getStyler().setMarkerSize(6);
    List<String> models = lines.keySet().stream().map(Line::model).distinct().toList();
    List<String> precisions = lines.keySet().stream().map(Line::precision).distinct().toList();
    double apart = APART * range(lines);
    int index = 0;
    for (Map.Entry<Line, List<Point>> entry : lines.entrySet()) {
      Line line = entry.getKey();
      double shift = apart * (index++ - (lines.size() - 1) / 2.0);
      add(
          chart,
          line.model() + " " + line.precision(),
          entry.getValue(),
          shift,
          COLORS[models.indexOf(line.model()) % COLORS.length],
          precisions.indexOf(line.precision()));
    }
    return chart;
  }

  private static double range(Map<Line, List<Point>> lines) {
    LongSummaryStatistics steps =
        lines.values().stream().flatMap(List::stream).mapToLong(Point::step).summaryStatistics();
    return steps.getMax() - steps.getMin();
  }

  /** A line with its markers, and an upright one for each interval: they are not symmetric. */
  private static void add(
      XYChart chart, String name, List<Point> points, double shift, Color color, int precision) {
    XYSeries series =
        chart.addSeries(
            name,
            points.stream().mapToDouble(p -> p.step() + shift).toArray(),
            points.stream().mapToDouble(Point::change).toArray());
    float[] dash = DASHES[precision % DASHES.length];
    series.setLineStyle(
        new BasicStroke(1.5f, BasicStroke.CAP_BUTT, BasicStroke.JOIN_ROUND, 10, dash, 0));
    series.setLineColor(color);
    series.setMarkerColor(color);
    series.setMarker(MARKERS[precision % MARKERS.length]);
    for (Point point : points) {
      double x = point.step() + shift;
      XYSeries interval =
          chart.addSeries(
              name + " at " + point.step(),
              new double[] {x, x},
              new double[] {point.low(), point.high()});
      interval.setLineStyle(new BasicStroke(1));
      interval.setLineColor(color);
      interval.setMarker(SeriesMarkers.NONE);
      interval.setShowInLegend(false);
    }
  }
}
