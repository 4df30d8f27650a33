"use strict";
// Draws every board's plots with Plotly in the colours of the page's theme.
(() => {
  const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const CONFIG = { displaylogo: false, responsive: true, displayModeBar: "hover", modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"] };
  const escaped = (text) => String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  const short = (text) => escaped(text.length > 28 ? `${text.slice(0, 27)}…` : text);

  const layout = (height, more) => {
    const axis = { color: style("--soft"), gridcolor: style("--line"), zerolinecolor: style("--line"), linecolor: style("--rule"), exponentformat: "none", automargin: true, title: { standoff: 12 } };
    const base = {
      height, margin: { l: 56, r: 16, t: 16, b: 48 }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: style("--sans"), size: 12, color: style("--ink") }, showlegend: false, hovermode: "closest",
      hoverlabel: { bgcolor: style("--panel"), bordercolor: style("--rule"), font: { color: style("--ink") } },
    };
    const made = { ...base, ...more };
    for (const key of Object.keys(made)) if (/^[xy]axis/.test(key)) made[key] = { ...axis, ...made[key], title: { ...axis.title, text: made[key].title || "" } };
    return made;
  };
  const bars = (scores) => ({
    type: "data", symmetric: false, thickness: 1, width: 3, color: style("--rule"),
    array: scores.map(([value, , high]) => (high === undefined ? 0 : high - value)),
    arrayminus: scores.map(([value, low]) => (low === undefined ? 0 : value - low)),
  });
  const empty = (target, text) => { target.textContent = text; target.classList.add("empty"); };
  const axisName = (column) => `${column.label} ${{ higher: "↑", lower: "↓", truth: "→ truth" }[column.better]}`;

  // Labels beside the marks, above or below by turns where marks are close, so that names stay apart.
  const places = (rows, x, y, range) => {
    const spots = ["top right", "bottom right", "top left", "bottom left", "top center", "bottom center"];
    const spread = (values) => (Math.max(...values) - Math.min(...values)) || 1;
    const right = range ? range[1] : Math.max(...rows.map(x));
    const [dx, dy] = [range ? range[1] - range[0] : spread(rows.map(x)), spread(rows.map(y))];
    const done = [];
    return rows.map((row) => {
      const near = done.filter((other) => Math.abs(x(other) - x(row)) / dx < 0.2 && Math.abs(y(other) - y(row)) / dy < 0.06).length;
      done.push(row);
      return (right - x(row)) / dx < 0.25 && near === 0 ? "top left" : spots[near % spots.length];
    });
  };

  // What the first view spans: references and submissions, so that one odd control does not squeeze all others.
  const span = (rows, value) => {
    const seen = rows.filter((row) => row.role !== "control").flatMap((row) => value(row).filter((each) => each !== undefined));
    if (new Set(seen).size < 2) return undefined;
    const [low, high] = [Math.min(...seen), Math.max(...seen)];
    return [low - 0.06 * (high - low), high + 0.1 * (high - low)];
  };

  const scatter = (target, all, x, y, xaxis, yaxis, front) => {
    const rows = [...all].sort((a, b) => y(b)[0] - y(a)[0]);
    if (!rows.length) return empty(target, "No row has both numbers yet.");
    const ours = (row) => row.role === "submission";
    const scaled = (row) => (xaxis.type === "log" ? Math.log10(x(row)[0]) : x(row)[0]);
    const trace = {
      type: "scatter", mode: "markers+text", x: rows.map((row) => x(row)[0]), y: rows.map((row) => y(row)[0]),
      error_x: xaxis.type === "log" ? undefined : bars(rows.map(x)), error_y: bars(rows.map(y)),
      text: rows.map((row) => short(row.label)), textposition: places(rows, scaled, (row) => y(row)[0], xaxis.range),
      textfont: { size: 11, color: rows.map((row) => style(ours(row) ? "--ink" : "--soft")) }, 
      marker: { size: 9, color: rows.map((row) => style(ours(row) ? "--accent" : "--ground")), line: { width: 1.5, color: rows.map((row) => style(ours(row) ? "--accent" : "--rule")) } },
      hovertemplate: rows.map((row) => `<b>${escaped(row.name)}</b> (${row.role})<br>${xaxis.title} %{x:.4~g}<br>${yaxis.title} %{y:.4~g}${row.device ? `<br>on ${escaped(row.device)}` : ""}<extra></extra>`),
    };
    const line = { type: "scatter", mode: "lines", hoverinfo: "skip", line: { color: style("--accent"), width: 1.2, dash: "dot" }, x: front.map((row) => x(row)[0]), y: front.map((row) => y(row)[0]) };
    Plotly.react(target, front.length > 1 ? [line, trace] : [trace], layout(420, { xaxis, yaxis }), CONFIG);
  };

  const column = (board, key) => board.columns.find((each) => each.key === key);
  const having = (board, ...keys) => board.rows.filter((row) => keys.every((key) => row.scores[key]));

  const drawFront = (target, board) => {
    const key = board.headline.key;
    if (!column(board, "fid")) return empty(target, "This board has no FID.");
    const rows = having(board, key, "fid");
    const front = board.pareto.map((slug) => rows.find((row) => row.slug === slug)).filter(Boolean);
    scatter(target, rows, (row) => row.scores.fid, (row) => row.scores[key], { title: axisName(column(board, "fid")), range: span(rows, (row) => row.scores.fid) }, { title: axisName(board.headline) }, front);
  };
  const drawRate = (target, board) => {
    const key = board.headline.key;
    const rows = having(board, key).filter((row) => row.rate > 0);
    scatter(target, rows, (row) => [row.rate], (row) => row.scores[key], { title: "real-time factor ↑, log scale", type: "log", dtick: "D2" }, { title: axisName(board.headline) }, []);
  };

  const drawAblation = (target, board) => {
    const rows = board.ablation.map((slug) => board.rows.find((row) => row.slug === slug)).filter(Boolean);
    if (!rows.length) return empty(target, "No variants of the fusion on this board.");
    const keys = board.ablation_metrics;
    const shown = { yaxis: { type: "category", autorange: "reversed", title: "" }, margin: { l: 130, r: 16, t: 8, b: 48 } };
    const traces = keys.map((key, i) => {
      const present = rows.filter((row) => row.scores[key]);
      const n = i ? i + 1 : "";
      shown[`xaxis${n}`] = { domain: [(i + (i ? 0.06 : 0)) / keys.length, (i + 0.94) / keys.length], title: axisName(column(board, key)), anchor: "y" };
      return {
        type: "scatter", mode: "markers", xaxis: `x${n}`, y: present.map((row) => short(row.name)), x: present.map((row) => row.scores[key][0]),
        error_x: bars(present.map((row) => row.scores[key])), marker: { size: 9, color: style("--accent") },
        hovertemplate: `%{y}<br>${axisName(column(board, key))} %{x:.4~g}<extra></extra>`,
      };
    });
    Plotly.react(target, traces, layout(90 + 34 * rows.length, shown), CONFIG);
  };

  const drawClips = (target, board, key) => {
    const rows = board.rows.filter((row) => board.clips[key][row.slug]);
    if (!rows.length) return empty(target, "No row has numbers a clip.");
    const traces = rows.map((row) => ({
      type: "violin", orientation: "h", side: "negative", width: 1.7, points: false, spanmode: "hard", y0: short(row.label), x: board.clips[key][row.slug], name: short(row.label),
      line: { width: 1.2, color: style(row.role === "submission" ? "--accent" : "--rule") }, meanline: { visible: true }, hoverinfo: "x+name", hoveron: "violins",
    }));
    Plotly.react(target, traces, layout(70 + 34 * rows.length, { xaxis: { title: axisName(column(board, key)) }, yaxis: { autorange: "reversed", title: "" }, margin: { l: 130, r: 16, t: 24, b: 48 }, violingap: 0, violinmode: "overlay" }), CONFIG);
  };

  const sections = [...document.querySelectorAll("section[data-board]")];
  const draw = (section) => {
    const board = window.mmbench[section.dataset.board];
    const target = (name) => section.querySelector(`[data-plot="${name}"]`);
    drawFront(target("front"), board);
    drawRate(target("rate"), board);
    drawAblation(target("ablation"), board);
    drawClips(target("clips"), board, section.querySelector(".metric").value);
  };
  for (const section of sections) {
    const board = window.mmbench[section.dataset.board];
    const select = section.querySelector(".metric");
    for (const each of board.columns) if (board.clips[each.key]) select.append(new Option(each.label + (each.unit === "mm" ? ", mm" : ""), each.key));
    select.value = board.clips.text_match ? "text_match" : select.options[0].value;
    select.addEventListener("change", () => drawClips(section.querySelector('[data-plot="clips"]'), board, select.value));
  }

  // A section is drawn when it comes near the window, so that a page of many boards opens at once.
  const drawn = new Set();
  const seen = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting || drawn.has(target)) continue;
      drawn.add(target);
      draw(target);
      target.dataset.drawn = "";
    }
  }, { rootMargin: "300px" });
  sections.forEach((section) => seen.observe(section));
  window.addEventListener("mmbench-theme", () => drawn.forEach(draw));
})();
