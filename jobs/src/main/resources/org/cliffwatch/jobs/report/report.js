"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const main = document.getElementById("main");
  const contents = document.getElementById("contents");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const ROWS_AT_ONCE = 200;
  const FLIPS_AT_ONCE = 50;

  // ---- Data

  /** The rows of a statement as objects. */
  function rows(name) {
    const answer = data.answers[name];
    if (!answer) return [];
    answer.objects ??= answer.rows.map(row => Object.fromEntries(answer.columns.map((c, i) => [c, row[i]])));
    return answer.objects;
  }

  const distinct = values => [...new Set(values)];
  const models = distinct(rows("numbers").map(row => row.model));
  const precisions = distinct(rows("numbers").map(row => row.precision));

  function number(value, digits = 4) {
    if (value === null || value === undefined) return "–";
    if (typeof value !== "number") return String(value);
    if (Number.isInteger(value)) return String(value);
    return Math.abs(value) >= 1e6 || (value !== 0 && Math.abs(value) < 1e-4)
      ? value.toExponential(digits - 1) : String(+value.toPrecision(digits + 1));
  }
  function signed(value, digits = 2) {
    if (value === null) return "–";
    const size = Math.abs(value).toFixed(digits);
    return (Number(size) === 0 ? "" : value > 0 ? "+" : "−") + size;
  }
  function short(value) {
    if (value === null || value === undefined) return "unknown size";
    const unit = [[1e9, "B"], [1e6, "M"], [1e3, "k"]].find(([size]) => value >= size) ?? [1, ""];
    return +(value / unit[0]).toPrecision(3) + unit[1];
  }
  const isAccuracy = metric => /^acc/.test(metric);
  const metricsFirst = found => distinct(found).sort((a, b) => isAccuracy(b) - isAccuracy(a) || a.length - b.length || a.localeCompare(b));

  // ---- Elements. Text is only ever set as text.

  function element(name, attributes = {}, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (key === "class") made.className = value;
      else if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
      else if (value !== null && value !== undefined) made.setAttribute(key, value);
    }
    made.append(...children.filter(child => child !== null && child !== undefined));
    return made;
  }

  function section(id, title, ...children) {
    const made = element("section", {id, "aria-labelledby": id + "-title"},
      element("h2", {id: id + "-title"}, title), ...children);
    main.append(made);
    contents.append(element("li", {}, element("a", {href: "#" + id}, title)));
    return made;
  }

  const paragraph = (text, kind) => element("p", kind ? {class: kind} : {}, text);

  /** A table that scrolls by itself, with the keyboard too. */
  function table(label, columns, found, {cells = {}, tall = true, more = ROWS_AT_ONCE} = {}) {
    const body = element("tbody");
    const made = element("table", {}, element("caption", {}, label),
      element("thead", {}, element("tr", {}, ...columns.map(c => element("th", {scope: "col"}, c.replaceAll("_", " "))))), body);
    let shown = 0;
    function show(count) {
      for (const row of found.slice(shown, shown + count)) {
        body.append(element("tr", {}, ...columns.map(column => {
          const value = row[column];
          const content = cells[column] ? cells[column](row) : Array.isArray(value) ? value.map(v => number(v)).join(", ") : number(value);
          const long = typeof content === "string" && content.length > 60;
          return element("td", typeof value === "number" && !cells[column] ? {class: "number"} : long ? {class: "text"} : {}, content);
        })));
      }
      shown += count;
    }
    show(more);
    const region = element("div", {class: "scroll" + (tall ? " tall" : ""), role: "region", "aria-label": label + ": table", tabindex: "0"}, made);
    if (shown >= found.length) return region;
    const button = element("button", {type: "button", onclick: () => {
      show(more);
      button.textContent = rest();
      if (shown >= found.length) button.remove();
    }});
    const rest = () => `Show ${Math.min(more, found.length - shown)} more of ${found.length} rows`;
    button.textContent = rest();
    return element("div", {}, region, button);
  }

  /** Filled when it is opened: a page of closed ones opens fast. */
  function closed(summary, fill) {
    const made = element("details", {}, element("summary", {}, summary));
    made.addEventListener("toggle", () => {
      if (made.open && made.children.length === 1) made.append(...[fill()].flat());
    });
    return made;
  }

  /** What stands below a figure: its numbers, and the statement that they come from. */
  function behind(title, name, tables = true) {
    const answer = data.answers[name];
    const found = rows(name);
    const whole = answer.complete ? null
      : paragraph(`This page holds the first ${found.length} rows of this statement; the tables have all.`, "faint");
    return [
      whole,
      tables ? closed(`${title}: numbers as a table (${found.length} rows)`, () => table(title, answer.columns, found)) : null,
      closed(`${title}: the SQL behind it`, () => sql(title, answer.sql)),
    ];
  }

  function sql(title, text) {
    const used = Object.keys(data.views).filter(view => new RegExp("\\b" + view + "\\b").test(text));
    return [
      element("pre", {tabindex: "0", role: "region", "aria-label": title + ": SQL"}, element("code", {}, text)),
      used.length === 0 ? "" : element("p", {class: "faint"}, "Asks ", ...used.flatMap(view => [
        element("a", {href: "#view-" + view, onclick: () => document.getElementById("view-" + view).open = true}, view), " ",
      ]), used.length === 1 ? "as this report defines it." : "as this report defines them."),
    ];
  }

  function choice(label, options, change) {
    const select = element("select", {onchange: () => change(select.value)},
      ...options.map(([value, text]) => element("option", {value}, text)));
    return element("label", {}, label, select);
  }

  // ---- Figures

  const charts = new Set();
  const color = name => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  const colorOf = index => color("c" + index % 8);
  const SYMBOLS = ["circle", "triangle", "rect", "diamond", "roundRect", "pin", "arrow"];

  /**
   * A figure: drawn when it comes into view, again in other colours, at other sizes and for print.
   * What it shows is in the table below it, so that it is one picture to a screen reader.
   */
  function figure(title, caption, name, option, {controls = null, height = null} = {}) {
    const box = element("div", {class: "chart", role: "img", "aria-label": `${title}. ${caption} The table below holds the same numbers.`});
    if (height) box.style.height = height(box.clientWidth);
    const chart = {
      instance: null,
      draw() {
        if (height) box.style.height = height(box.clientWidth);
        chart.instance?.dispose();
        chart.instance = echarts.init(box, null, {renderer: "svg"});
        chart.instance.setOption(themed(option(box.clientWidth)));
      },
      redraw() { if (chart.instance) chart.draw(); },
    };
    charts.add(chart);
    new IntersectionObserver((seen, observer) => {
      if (seen.some(one => one.isIntersecting)) {
        observer.disconnect();
        if (!chart.instance) chart.draw();
        let width = box.clientWidth;
        new ResizeObserver(() => {
          if (box.clientWidth !== width) { width = box.clientWidth; chart.draw(); }
        }).observe(box);
      }
    }, {rootMargin: "200px"}).observe(box);
    const made = element("figure", {}, controls, box, element("figcaption", {}, element("b", {}, title + ". "), caption),
      ...behind(title, name).filter(Boolean));
    made.redraw = chart.redraw;
    return made;
  }

  dark.addEventListener("change", () => charts.forEach(chart => chart.redraw()));
  addEventListener("beforeprint", () => charts.forEach(chart => chart.draw()));

  function themed(option) {
    const axis = {
      axisLine: {lineStyle: {color: color("faint")}},
      axisTick: {lineStyle: {color: color("faint")}},
      axisLabel: {color: color("ink"), lineHeight: 16},
      nameTextStyle: {color: color("faint")},
      splitLine: {lineStyle: {color: color("rule")}},
    };
    const merged = part => ({...axis, ...part, axisLabel: {...axis.axisLabel, ...part.axisLabel},
      splitLine: {...axis.splitLine, ...part.splitLine}});
    const grid = {left: 16, right: 20, top: 36, bottom: 56, outerBoundsMode: "same"};
    const each = (parts, made) => Array.isArray(parts) ? parts.map(made) : made(parts);
    return {
      animation: false,
      textStyle: {color: color("ink"), fontFamily: getComputedStyle(document.body).fontFamily},
      ...option,
      legend: option.legend === null ? undefined : {type: "scroll", bottom: 0, textStyle: {color: color("ink")},
        pageTextStyle: {color: color("ink")}, pageIconColor: color("link"), inactiveColor: color("rule"), ...option.legend},
      grid: each(option.grid, part => ({...grid, ...part})),
      tooltip: {trigger: "item", confine: true, backgroundColor: color("raised"), borderColor: color("rule"),
        textStyle: {color: color("ink")}, ...option.tooltip},
      xAxis: each(option.xAxis, merged),
      yAxis: each(option.yAxis, merged),
    };
  }

  /** A tooltip's content as an element: names are set as text. */
  const tip = (title, ...lines) => element("div", {class: "tip"}, element("b", {}, title), ...lines.flatMap(line => [line, element("br")]));

  /** Upright lines from low to high, beside the marks of a series. */
  function intervals(name, points, paint, shift = 0) {
    return {
      name, type: "custom", silent: true, tooltip: {show: false}, z: 1, encode: {x: 0, y: [1, 2]},
      data: points.filter(p => p.low !== null && p.high !== null).map(p => [p.x, p.low, p.high]),
      itemStyle: {color: paint},
      renderItem(params, api) {
        const [x, low] = api.coord([api.value(0), api.value(1)]);
        const [, high] = api.coord([api.value(0), api.value(2)]);
        const line = (x1, y1, x2, y2) => ({type: "line", shape: {x1: x1 + shift, y1, x2: x2 + shift, y2}, style: {stroke: paint, lineWidth: 1.2}});
        return {type: "group", children: [line(x, low, x, high), line(x - 3, low, x + 3, low), line(x - 3, high, x + 3, high)]};
      },
    };
  }

  const change = row => `${signed(row.rel_pct)} %` + (row.rel_pct_low === null ? "" : ` (95 %: ${signed(row.rel_pct_low)} to ${signed(row.rel_pct_high)})`);

  function byStep() {
    const found = rows("by-step");
    if (found.length === 0) return nothingCompared();
    const title = "Change by quantization over training steps";
    if (distinct(found.map(row => row.step)).length === 1) {
      return element("div", {}, paragraph("All models are at one step: how much they change stands under By model size."),
        ...behind(title, "by-step").filter(Boolean));
    }
    const metrics = metricsFirst(found.map(row => row.metric));
    const compared = distinct(found.map(row => row.precision)).sort();
    const steps = distinct(found.map(row => row.step)).sort((a, b) => a - b);
    const [least, most] = [steps[0], steps.at(-1)];
    const isLog = least > 0 && most >= 50 * least;
    const place = (step, shift) => isLog ? step * (most / least) ** shift : step + (most - least) * shift;
    let metric = metrics[0], model = "";
    const shown = () => found.filter(row => row.metric === metric && (!model || row.model === model));
    const columns = width => Math.max(1, Math.min(compared.length, Math.floor(width / 225)));
    const PANEL = 230;
    const MOST_NAMED = 3; // whose names have room beside the ends of their lines
    const made = figure(title,
      "Mean over the tasks, relative to the baseline precision, with 95 % intervals. A panel a precision; colours and marks are models.",
      "by-step", width => {
        const of = shown();
        const named = distinct(of.map(row => row.model));
        const ends = of.flatMap(row => [row.rel_pct, row.rel_pct_low ?? row.rel_pct, row.rel_pct_high ?? row.rel_pct]);
        const range = {min: Math.min(0, ...ends), max: Math.max(0, ...ends)};
        const isNamed = named.length > 1 && named.length <= MOST_NAMED;
        const right = isNamed ? 24 + 6.5 * Math.max(...named.map(name => name.length)) : 20;
        const across = columns(width);
        const wide = (width - 44 - right) / across;
        const where = index => ({left: 44 + wide * (index % across), top: 40 + PANEL * Math.floor(index / across)});
        const series = compared.flatMap((precision, panel) => named.flatMap((name, index) => {
          const line = of.filter(row => row.precision === precision && row.model === name);
          const paint = colorOf(models.indexOf(name));
          const shift = 0.008 * (index - (named.length - 1) / 2);
          const points = line.map(row => ({x: place(row.step, shift), low: row.rel_pct_low, high: row.rel_pct_high}));
          const isLast = panel % across === across - 1 || panel === compared.length - 1;
          return [
            {name, type: "line", color: paint, symbol: SYMBOLS[index % SYMBOLS.length], symbolSize: 8, z: 2,
              xAxisIndex: panel, yAxisIndex: panel, lineStyle: {color: paint, width: 1.6},
              endLabel: {show: isNamed && isLast, formatter: name, color: paint, lineHeight: 16}, labelLayout: {moveOverlap: "shiftY"},
              data: line.map((row, i) => ({value: [points[i].x, row.rel_pct], row}))},
            {...intervals(name, points, paint), xAxisIndex: panel, yAxisIndex: panel},
          ];
        }));
        return {
          legend: named.length > MOST_NAMED ? {} : null,
          title: compared.map((precision, index) => ({text: precision, ...where(index), top: where(index).top - 26,
            textStyle: {color: color("ink"), fontSize: 13}})),
          grid: compared.map((precision, index) => ({...where(index), right: undefined, bottom: undefined,
            width: wide - 16, height: PANEL - 80, outerBoundsMode: "none"})),
          xAxis: compared.map((precision, index) => ({gridIndex: index, type: isLog ? "log" : "value", name: "training step",
            logBase: steps.every(step => Number.isInteger(Math.log2(step))) ? 2 : 10, min: place(least, -0.03), max: place(most, 0.03),
            axisLabel: {hideOverlap: true, showMinLabel: false, showMaxLabel: false}, axisLine: {onZero: false},
            nameLocation: "middle", nameGap: 26, splitLine: {show: false}})),
          yAxis: compared.map((precision, index) => ({gridIndex: index, type: "value", ...range, axisLabel: {show: index % across === 0,
            showMinLabel: range.min === 0, showMaxLabel: range.max === 0}, axisLine: {show: true},
            name: index === 0 ? metric + ": change, %" : "", nameGap: 30, nameTextStyle: {align: "left", color: color("faint")}})),
          series,
          tooltip: {formatter: p => p.data.row ? tip(`${p.seriesName} ${p.data.row.precision}`, "step " + p.data.row.step,
            metric + " " + number(p.data.row.value), change(p.data.row)) : ""},
        };
      }, {height: width => 40 + PANEL * Math.ceil(compared.length / columns(width)) + (distinct(shown().map(row => row.model)).length > MOST_NAMED ? 30 : 0) + "px",
        controls: element("div", {class: "controls"},
          choice("Metric", metrics.map(m => [m, m]), value => { metric = value; made.redraw(); }),
          choice("Model", [["", "all"], ...distinct(found.map(row => row.model)).map(m => [m, m])], value => { model = value; made.redraw(); }))});
    return made;
  }

  function bySize() {
    const found = rows("by-size");
    if (found.length === 0) return nothingCompared();
    const metrics = metricsFirst(found.map(row => row.metric));
    let metric = metrics[0];
    const made = figure("Change by quantization and model size",
      "Models from small to large at their last steps; mean over the tasks with 95 % intervals.",
      "by-size", () => {
        const of = found.filter(row => row.metric === metric);
        const sized = distinct(of.map(row => row.model));
        const sizes = new Map(of.map(row => [row.model, row.parameters]));
        const compared = distinct(of.map(row => row.precision)).sort();
        const series = compared.flatMap((precision, index) => {
          const paint = colorOf(index);
          const mine = of.filter(row => row.precision === precision);
          const points = mine.map(row => ({x: sized.indexOf(row.model), low: row.rel_pct_low, high: row.rel_pct_high}));
          const shift = 10 * (index - (compared.length - 1) / 2);
          return [
            {name: precision, type: "line", color: paint, symbol: SYMBOLS[index % SYMBOLS.length], symbolSize: 9, z: 2,
              symbolOffset: [shift, 0], lineStyle: {width: 0},
              data: mine.map((row, i) => ({value: [points[i].x, row.rel_pct], row}))},
            intervals(precision, points, paint, shift),
          ];
        });
        return {
          xAxis: {type: "category", data: sized.map(name => name + "\n" + short(sizes.get(name))), axisLabel: {interval: 0, hideOverlap: true}},
          yAxis: {type: "value", name: metric + ": change, %", nameTextStyle: {align: "left", color: color("faint")}},
          series,
          tooltip: {formatter: p => tip(`${p.data.row.model} ${p.seriesName}`, `${short(p.data.row.parameters)} parameters, step ${p.data.row.step}`,
            metric + " " + number(p.data.row.value), change(p.data.row))},
        };
      }, {controls: element("div", {class: "controls"}, choice("Metric", metrics.map(m => [m, m]), value => { metric = value; made.redraw(); }))});
    return made;
  }

  function heatMap() {
    const found = rows("heat-map");
    if (found.length === 0) return nothingCompared();
    const metrics = metricsFirst(found.map(row => row.metric));
    let metric = metrics[0], model = null;
    const of = () => found.filter(row => row.metric === metric && row.model === model);
    const made = figure("Tasks and precisions",
      "Change in percent of the baseline's value at the last step; negative (orange) is worse, whatever the metric.",
      "heat-map", width => {
        const shown = of();
        const tasks = distinct(shown.map(row => row.task)).sort().reverse();
        const columns = distinct(shown.map(row => row.precision)).sort();
        const most = Math.max(1e-9, ...shown.map(row => Math.abs(row.change_pct)));
        return {
          legend: null,
          grid: {left: 16, right: 20, top: 36, bottom: 70},
          xAxis: {type: "category", data: columns, position: "top", splitLine: {show: false}},
          yAxis: {type: "category", data: tasks, splitLine: {show: false}},
          visualMap: {min: -most, max: most, calculable: false, orient: "horizontal", left: "center", bottom: 0,
            text: [signed(most, 1) + " %", signed(-most, 1) + " %"], textStyle: {color: color("ink")},
            inRange: {color: [color("loss"), color("none"), color("gain")]}},
          series: [{type: "heatmap",
            data: shown.map(row => ({value: [columns.indexOf(row.precision), tasks.indexOf(row.task), row.change_pct], row})),
            label: {show: columns.length * 44 < width - 120, formatter: p => signed(p.data.row.change_pct, 1),
              color: color("ink"), textBorderColor: color("ground"), textBorderWidth: 2},
            itemStyle: {borderColor: color("ground"), borderWidth: 1}}],
          tooltip: {formatter: p => tip(`${p.data.row.task} ${p.data.row.precision}`, `${metric}: ${signed(p.data.row.change_pct)} %`,
            model === null ? `mean of ${p.data.row.models} models, the worst ${signed(p.data.row.worst_pct)} %` : model,
            `significantly worse: ${p.data.row.significant} of ${p.data.row.models}`)},
        };
      }, {
        height: () => 9 + 1.9 * distinct(of().map(row => row.task)).length + "rem",
        controls: element("div", {class: "controls"},
          choice("Metric", metrics.map(m => [m, m]), value => { metric = value; made.redraw(); }),
          choice("Model", [["", "mean over models"], ...distinct(found.map(row => row.model)).filter(m => m !== null).map(m => [m, m])],
            value => { model = value === "" ? null : value; made.redraw(); }))});
    return made;
  }

  function itemChanges() {
    const found = rows("item-changes").filter(row => row.median !== null);
    if (found.length === 0) return nothingCompared();
    let model = null;
    const of = () => found.filter(row => row.model === model);
    const made = figure("Change of single items",
      "Log-likelihood of the right choice against the baseline, nats: boxes from quartile to quartile with the median, whiskers from 5 to 95 % of the items. A mean can stand still while items move.",
      "item-changes", () => {
        const shown = of();
        const tasks = distinct(shown.map(row => row.task)).sort().reverse();
        const compared = distinct(shown.map(row => row.precision)).sort();
        return {
          xAxis: {type: "value", name: "nats", nameLocation: "middle", nameGap: 26, scale: true},
          yAxis: {type: "category", data: tasks, splitLine: {show: false}},
          series: compared.map((precision, index) => ({name: precision, type: "boxplot", color: colorOf(index),
            itemStyle: {color: color("none"), borderColor: colorOf(index), borderWidth: 1.5}, boxWidth: [4, 14],
            data: tasks.map(task => {
              const row = shown.find(r => r.task === task && r.precision === precision);
              return row ? {value: [row.p05, row.p25, row.median, row.p75, row.p95], row} : {value: []};
            })})),
          tooltip: {formatter: p => tip(`${p.data.row.task} ${p.data.row.precision}`, `${p.data.row.items} items`, `median ${signed(p.data.row.median, 3)}`,
            `mean ${signed(p.data.row.mean, 3)}`, `5 to 95 %: ${signed(p.data.row.p05, 3)} to ${signed(p.data.row.p95, 3)}`)},
        };
      }, {
        height: () => {
          const shown = of();
          return 8 + distinct(shown.map(row => row.task)).length * (0.9 + 0.9 * distinct(shown.map(row => row.precision)).length) + "rem";
        },
        controls: element("div", {class: "controls"}, choice("Model", [["", "all models"], ...distinct(found.map(row => row.model)).filter(m => m !== null).map(m => [m, m])],
          value => { model = value === "" ? null : value; made.redraw(); }))});
    return made;
  }

  function kl() {
    const found = rows("kl").filter(row => row.kl !== null);
    if (found.length === 0) {
      return element("div", {}, paragraph("Not measured. With kl: true in the suite (--set kl=true), precisions other than the baseline also get the divergence of their next-token distributions from the baseline's."),
        ...behind("Divergence from the baseline", "kl", false).filter(Boolean));
    }
    return figure("Divergence from the baseline",
      "Mean KL(baseline ‖ precision) of the next-token distributions over a task's scored tokens, nats, at each model's last step; a mark is a model.",
      "kl", () => {
        const tasks = distinct(found.map(row => row.task)).sort();
        const compared = distinct(found.map(row => row.precision)).sort();
        const positive = found.every(row => row.kl > 0);
        return {
          xAxis: {type: "category", data: tasks, axisLabel: {rotate: tasks.length > MOST_NAMED ? 30 : 0}, splitLine: {show: false}},
          yAxis: {type: positive ? "log" : "value", name: "KL, nats", nameTextStyle: {align: "left", color: color("faint")},
            axisLabel: {formatter: value => number(value, 2)}},
          series: compared.map((precision, index) => ({name: precision, type: "scatter", symbol: SYMBOLS[index % SYMBOLS.length], symbolSize: 9,
            color: colorOf(index), symbolOffset: [12 * (index - (compared.length - 1) / 2), 0],
            data: found.filter(row => row.precision === precision).map(row => ({value: [row.task, row.kl], row}))})),
          tooltip: {formatter: p => tip(`${p.data.row.model} ${p.data.row.precision}`, p.data.row.task, `KL ${number(p.data.row.kl)} nats`,
            `same likeliest token: ${number(100 * p.data.row.top1_agreement)} %`)},
        };
      });
  }

  const MIB = 1 << 20;

  function cost(title, caption, x, frontier) {
    const found = rows("cost").filter(row => row[x] !== null && row.value !== null);
    if (found.length === 0) {
      return element("div", {}, paragraph(x === "weight_bytes" ? "The tables do not tell the models' sizes." : "The tables hold no speeds."),
        ...behind(title, "cost", false).filter(Boolean));
    }
    const metrics = metricsFirst(found.map(row => row.metric));
    let metric = metrics[0];
    const scaled = row => frontier ? row.weight_bytes / MIB : row[x];
    const made = figure(title, caption, "cost", () => {
      const of = found.filter(row => row.metric === metric);
      const all = distinct(of.map(row => row.precision)).sort();
      const series = all.map((precision, index) => ({name: precision, type: "scatter", color: colorOf(index), symbol: SYMBOLS[index % SYMBOLS.length],
        symbolSize: 11, data: of.filter(row => row.precision === precision).map(row => ({value: [scaled(row), row.value], row}))}));
      if (frontier) {
        series.unshift({name: "frontier", type: "line", step: "end", symbol: "none", silent: true, color: color("faint"),
          lineStyle: {color: color("faint"), type: "dashed", width: 1.5},
          data: of.filter(row => row.efficient).sort((a, b) => a.weight_bytes - b.weight_bytes).map(row => [scaled(row), row.value])});
      }
      return {
        xAxis: {type: frontier ? "log" : "value", name: frontier ? "weights, MiB" : "tokens a second and thread", nameLocation: "middle", nameGap: 26,
          scale: true, min: frontier ? v => v.min / 1.3 : null, max: frontier ? v => v.max * 1.3 : null,
          axisLabel: {hideOverlap: true, formatter: value => number(value, 2)}, splitLine: {show: false}},
        yAxis: {type: "value", name: metric, scale: true, nameTextStyle: {align: "left", color: color("faint")}},
        series,
        tooltip: {formatter: p => tip(`${p.data.row.model} ${p.data.row.precision}`, `${metric} ${number(p.data.row.value)}, mean of ${p.data.row.tasks} tasks`,
          p.data.row.tokens_per_second === null ? "speed unknown" : `${number(Math.round(p.data.row.tokens_per_second))} tokens a second and thread`,
          p.data.row.weight_bytes === null ? "size unknown" : `${number(p.data.row.weight_bytes / MIB)} MiB of weights`)},
      };
    }, {controls: element("div", {class: "controls"}, choice("Metric", metrics.map(m => [m, m]), value => { metric = value; made.redraw(); }))});
    return made;
  }

  function causes() {
    const found = rows("causes").filter(row => row.low !== null && !Number.isNaN(row.rank_correlation));
    if (found.length === 0) {
      return element("div", {}, paragraph("A correlation needs four checkpoints that are analysed and compared, and do not all change alike."),
        ...behind("What goes with degradation", "causes", false).filter(Boolean));
    }
    const most = 15;
    const metrics = metricsFirst(found.map(row => row.metric));
    const compared = distinct(found.map(row => row.precision));
    let metric = metrics[0], precision = compared[0];
    const of = () => found.filter(row => row.metric === metric && row.precision === precision).slice(0, most).reverse();
    const made = figure("What goes with degradation",
      `Rank correlation over checkpoints with the mean change over the tasks, the ${most} strongest quantities, with 95 % intervals. Of so many quantities some are strong by chance.`,
      "causes", () => {
        const shown = of();
        const names = shown.map(row => row.quantity + " · " + row.projection);
        return {
          legend: null,
          xAxis: {type: "value", name: "rank correlation", nameLocation: "middle", nameGap: 26, min: -1, max: 1},
          yAxis: {type: "category", data: names, splitLine: {show: false}},
          series: [
            {type: "scatter", color: colorOf(0), symbolSize: 9, z: 2, data: shown.map((row, i) => ({value: [row.rank_correlation, i], row}))},
            {type: "custom", silent: true, tooltip: {show: false}, z: 1, encode: {x: [0, 1], y: 2}, data: shown.map((row, i) => [row.low, row.high, i]),
              renderItem(params, api) {
                const [from, y] = api.coord([api.value(0), api.value(2)]);
                const [to] = api.coord([api.value(1), api.value(2)]);
                return {type: "line", shape: {x1: from, y1: y, x2: to, y2: y}, style: {stroke: colorOf(0), lineWidth: 1.5}};
              }},
          ],
          tooltip: {formatter: p => tip(p.data.row.quantity, p.data.row.projection, `${signed(p.data.row.rank_correlation)} (95 %: ${signed(p.data.row.low)} to ${signed(p.data.row.high)})`,
            `${p.data.row.checkpoints} checkpoints`)},
        };
      }, {
        height: () => 8 + 1.5 * of().length + "rem",
        controls: element("div", {class: "controls"},
          choice("Precision", compared.map(p => [p, p]), value => { precision = value; made.redraw(); }),
          choice("Metric", metrics.map(m => [m, m]), value => { metric = value; made.redraw(); }))});
    return made;
  }

  function nothingCompared() {
    return paragraph("Nothing to show: no precision is compared with a baseline here.");
  }

  // ---- Cliffs, as evaluate.sh tells them

  function cliffs() {
    const worst = new Map();
    for (const row of rows("by-step")) {
      if (row.metric !== "acc") continue;
      const key = JSON.stringify([row.model, row.precision]);
      const known = worst.get(key);
      worst.set(key, {...(known && known.rel_pct <= row.rel_pct ? known : row), steps: (known?.steps ?? 0) + 1});
    }
    const found = [...worst.values()].sort((a, b) => a.rel_pct - b.rel_pct);
    if (found.length === 0) return null;
    const verdict = row => row.rel_pct_high === null ? ["not known", ""]
      : row.rel_pct_high < data.cliffPercent ? ["a cliff", "bad"]
      : row.rel_pct_low < data.cliffPercent ? ["too few items to tell", ""] : ["no cliff", "good"];
    return element("div", {},
      paragraph(`A cliff is a mean change of accuracy whose whole 95 % interval lies below ${signed(data.cliffPercent, 0)} %. Of a series the worst step.`, "faint"),
      table("Cliffs", ["model", "precision", "step", "change", "verdict"], found, {cells: {
        change: row => change(row),
        verdict: row => element("span", {class: verdict(row)[1]}, verdict(row)[0]),
      }}));
  }

  // ---- Flips

  function flips() {
    const found = rows("flips");
    const counts = rows("flip-counts");
    const total = counts.reduce((sum, row) => sum + row.lost + row.gained + row.wrong_otherwise, 0);
    const here = section("flips", "Flips");
    if (found.length === 0) {
      here.append(paragraph("No item is answered otherwise than at the baseline precision."), ...behind("Flips", "flips", false).filter(Boolean));
      return;
    }
    here.append(paragraph(`Items that are answered otherwise than at the baseline precision (replica 0). ` +
      (data.answers.flips.complete ? `All ${found.length} of them are here.`
        : `This page holds ${found.length}${data.answers["flip-counts"].complete ? " of " + total : ""}: of every cell those that turned furthest, then the next.`) +
      ` Texts are cut to the last ${data.mostContext} characters of a context and the first ${data.mostContinuation} of a continuation.`));
    for (const note of data.notes) here.append(paragraph(note, "faint"));
    const state = {text: "", model: "", precision: "", task: "", kind: ""};
    const texts = row => data.texts[row.task]?.[row.doc_hash] ?? null;
    const searched = row => row.searched ??= [row.model, row.precision, row.task, "item " + row.item, row.doc_hash,
      ...(texts(row) ? [...texts(row).contexts, ...texts(row).continuations] : [])].join("\n").toLowerCase();
    const list = element("div");
    const status = element("p", {role: "status", class: "faint"});
    const detail = element("div", {id: "flip"});
    const hash = row => "#flip=" + [row.model, row.step, row.precision, row.task, row.item].map(encodeURIComponent).join("/");
    const glimpse = row => {
      const text = texts(row);
      if (!text) return "";
      const context = text.contexts[0];
      return context.length > 90 ? "…" + context.slice(-90) : context;
    };
    function show() {
      const needle = state.text.trim().toLowerCase();
      const shown = found.filter(row => ["model", "precision", "task", "kind"].every(key => !state[key] || row[key] === state[key])
        && (!needle || searched(row).includes(needle)));
      status.textContent = `${shown.length} of ${found.length} flips`;
      list.replaceChildren(table("Flips", ["item", "task", "kind", "turned_by", "model", "step", "precision", "text"], shown, {more: FLIPS_AT_ONCE, cells: {
        item: row => element("a", {href: hash(row), "aria-label": `item ${row.item} of ${row.task}, ${row.model} step ${row.step} ${row.precision}`}, String(row.item)),
        text: glimpse,
      }}));
    }
    const filter = (label, key) => choice(label, [["", "all"], ...distinct(found.map(row => row[key])).sort().map(v => [v, v])],
      value => { state[key] = value; show(); });
    const search = element("input", {type: "search", oninput: () => { state.text = search.value; show(); }});
    here.append(element("div", {class: "controls", role: "search", "aria-label": "Flips"}, element("label", {}, "Search texts", search),
      filter("Model", "model"), filter("Precision", "precision"), filter("Task", "task"), filter("Turned", "kind")), status, list, detail,
      ...behind("Flips", "flips", false).filter(Boolean), ...behind("Flips by cell", "flip-counts").filter(Boolean));
    show();

    function follow() {
      if (!location.hash.startsWith("#flip=")) return;
      let place;
      try {
        place = location.hash.slice("#flip=".length).split("/").map(decodeURIComponent);
      } catch {
        place = [];
      }
      const [model, step, precision, task, item] = place;
      const row = found.find(r => r.model === model && String(r.step) === step && r.precision === precision && r.task === task && String(r.item) === item);
      detail.replaceChildren(row ? one(row) : paragraph("The flip that this address names is not among those that this page holds."));
      detail.scrollIntoView({block: "nearest"});
      detail.querySelector("h3")?.focus();
    }

    function one(row) {
      const text = texts(row);
      const nats = (values, i) => values?.[i] ?? null;
      const choices = row.nats.map((value, i) => ({
        choice: i,
        text: text?.continuations[i] ?? "–",
        context: text && text.contexts.length > 1 ? text.contexts[i] : null,
        [row.baseline]: nats(row.baseline_nats, i),
        [row.precision]: value,
        change: value === null || nats(row.baseline_nats, i) === null ? null : value - row.baseline_nats[i],
        marks: [i === row.gold ? "right" : null, i === row.baseline_chosen && row.nats.length > 1 ? row.baseline + " chose it" : null,
          i === row.chosen && row.nats.length > 1 ? row.precision + " chose it" : null].filter(Boolean).join(", "),
      }));
      const columns = ["choice", ...(text && text.contexts.length > 1 ? ["context"] : []), "text", row.baseline, row.precision, "change", "marks"];
      return element("article", {class: "detail", "aria-labelledby": "flip-title"},
        element("h3", {id: "flip-title", tabindex: "-1"}, `${row.task}, item ${row.item}: ${row.model} step ${row.step}, ${row.precision} against ${row.baseline}`),
        paragraph(`${row.kind}, turned by ${number(row.turned_by)} nats. ` +
          (row.nats.length > 1 ? `${row.baseline} chose ${row.baseline_chosen}, ${row.precision} ${row.chosen}` +
              (row.gold === null ? "." : `; right is ${row.gold}.`)
            : `${row.baseline} predicts it greedily: ${row.baseline_correct ? "yes" : "no"}; ${row.precision}: ${row.correct ? "yes" : "no"}.`)),
        text && text.contexts.length === 1 ? element("pre", {class: "text", tabindex: "0", role: "region", "aria-label": "Context"}, text.contexts[0]) : null,
        text ? null : paragraph("Its text is not here: see the notes above.", "faint"),
        table("Log-likelihoods, nats", columns, choices, {tall: false}),
        paragraph("doc_hash " + row.doc_hash, "faint"));
    }
    addEventListener("hashchange", follow);
    follow();
  }

  // ---- The page

  const totals = rows("totals")[0];
  const runs = rows("runs");
  document.getElementById("lead").textContent = (data.run ? `What run ${data.run} asked for, of the tables in ${data.tables}.` : `All that the tables in ${data.tables} hold.`)
    + (runs.length ? ` ${data.run ? "It" : `The last of ${data.answers.runs.complete ? "" : "more than "}${runs.length} ${runs.length === 1 ? "run" : "runs"}, ${runs[0].suite},`} ended ${runs[0].finished}, code ${runs[0].code_version}.` : "");

  const overview = section("overview", "Overview");
  if (totals.cells === 0) {
    overview.append(paragraph("There are no cells here: nothing has been scored yet" + (data.run ? ", or what this run scored has been replaced since." : ".")));
  } else {
    overview.append(element("ul", {class: "tiles"}, ...["models", "checkpoints", "precisions", "tasks", "cells"].map(what =>
      element("li", {}, element("b", {}, String(totals[what])), what)), element("li", totals.failed ? {class: "bad"} : {}, element("b", {}, String(totals.failed)), "failed")),
      paragraph(`Baseline: ${totals.baselines || "none"}. Kernel: ${totals.kernels}.`));
    const told = cliffs();
    if (told) overview.append(told);
  }
  overview.append(...behind("Overview", "totals", false).filter(Boolean));
  if (rows("failures").length) {
    section("failures", "Failed cells", table("Failed cells", ["model", "step", "cells", "error"], rows("failures")), ...behind("Failed cells", "failures", false).filter(Boolean));
  }
  if (rows("verdicts").length) {
    section("verdicts", "Verdicts", table("Verdicts", data.answers.verdicts.columns, rows("verdicts"), {cells: {
      outcome: row => element("span", {class: row.outcome === "pass" ? "good" : row.outcome === "fail" ? "bad" : ""}, row.outcome)}}),
      ...behind("Verdicts", "verdicts", false).filter(Boolean));
  }
  if (totals.cells > 0) {
    section("steps", "By training step", byStep());
    section("sizes", "By model size", bySize());
    section("tasks", "By task and precision", heatMap());
    section("items", "Item by item", itemChanges());
    section("kl", "KL", kl());
    section("cost", "Speed and memory", cost("Speed and quality", "At each model's last step; speed over all tasks, quality the mean over the tasks that have the metric.", "tokens_per_second", false));
    section("frontier", "Bits and quality", cost("Bits and quality", "Bytes of the weights as a precision holds them, without scales and padding. The dashed line is the frontier: nothing smaller is as good.", "weight_bytes", true));
    if (data.answers.causes) section("causes", "What goes with degradation", causes());
    flips();
    const lint = rows("lint");
    section("lint", "Warnings", lint.length === 0 ? paragraph("Nothing was found that makes these numbers less comparable than they look.")
      : table("What makes numbers less comparable", data.answers.lint.columns, lint), ...behind("Warnings", "lint", false).filter(Boolean));
    section("numbers", "Provenance", paragraph("Every number with its cell, kernel, task hash and run. comparable_key is equal exactly where two values may be compared."),
      ...behind("Numbers", "numbers").filter(Boolean), ...behind("Checkpoints", "checkpoints").filter(Boolean));
  }
  section("runs", "Runs", ...behind("Runs", "runs").filter(Boolean));
  section("sql", "SQL", paragraph("submit/sql.sh --tables DIR runs the statements of this page. They ask the tables of jobs/TABLES.md, planned_models, planned_precisions and planned_tasks (what the configurations in runs say), precisions (bits of a precision's weights) and these views:"),
    ...Object.entries(data.views).map(([name, text]) => element("details", {id: "view-" + name}, element("summary", {}, name),
      element("pre", {tabindex: "0", role: "region", "aria-label": "SQL of " + name}, element("code", {}, text)))));
  if (location.hash && !location.hash.startsWith("#flip=")) document.getElementById(location.hash.slice(1))?.scrollIntoView();
})();
