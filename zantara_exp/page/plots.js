"use strict";
// Draws every .plot from plain data (zantara_exp/analysis/plots.py): the report and the live page draw alike.
// Hover shows values, dragging zooms, a double click shows all again, a name in the legend hides or shows its line.
const Plots = (() => {
  const lang = document.documentElement.lang || "en", made = [];
  const light = { "--quiet": "#667079", "--rule": "#e4e2db", "--candidate": "#0f766e", "--primary": "#8a6120", "--bad": "#b42318", "--good": "#15803d", "--ink": "#1d2023", "--card": "#fff" };
  const more = ["#7c6bd6", "#c2557f", "#4a90d9", "#8a9a3b", "#a15c07"];
  const printing = { now: false };
  const colour = name => printing.now ? light[name] : getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const line = number => number === 0 ? colour("--candidate") : number === 1 ? colour("--primary") : more[(number - 2) % more.length];
  const number = (value, digits) => value.toLocaleString(lang, { minimumFractionDigits: digits, maximumFractionDigits: digits });
  const digits = step => [0, 1, 2].find(many => Math.abs(step * 10 ** many - Math.round(step * 10 ** many)) < 1e-6) ?? 3;

  function shown(value, unit, fine) {
    if (value == null) return "–";
    if (unit === "%") return number(value * 100, fine) + "\u00a0%";
    if (unit === "ms") return number(value, value && value < 10 ? 1 : 0) + "\u00a0ms";
    return number(value, fine);
  }

  const axis = more => ({ stroke: () => colour("--quiet"), grid: { stroke: () => colour("--rule"), width: 1 }, ticks: { show: false }, font: "11px system-ui, sans-serif", ...more });
  const scaled = unit => (u, at) => { const step = at.length > 1 ? at[1] - at[0] : 1; return at.map(v => shown(v, unit, unit === "%" ? digits(step * 100) : digits(step))); };
  const upright = (unit, more) => axis({ values: scaled(unit), size: 58, ...more });

  function dash(u, from, to, stroke) {
    const ctx = u.ctx, dense = devicePixelRatio;
    ctx.save(); ctx.strokeStyle = stroke; ctx.lineWidth = 1.3 * dense; ctx.setLineDash([5 * dense, 4 * dense]);
    ctx.beginPath(); ctx.moveTo(...from); ctx.lineTo(...to); ctx.stroke(); ctx.restore();
  }

  // Dashed thresholds; each is named where no other name stands.
  function limits(u, plot) {
    const taken = [], { left, top, width, height } = u.bbox, dense = devicePixelRatio;
    for (const limit of plot.limits || []) {
      const y = u.valToPos(limit, "y", true);
      if (y < top || y > top + height) continue;
      dash(u, [left, y], [left + width, y], colour("--bad"));
      const at = taken.some(other => Math.abs(other - y) < 14 * dense) ? y + 13 * dense : y - 4 * dense;
      taken.push(y);
      u.ctx.save(); u.ctx.fillStyle = colour("--bad"); u.ctx.font = 11 * dense + "px system-ui, sans-serif"; u.ctx.textAlign = "right"; u.ctx.textBaseline = "alphabetic";
      u.ctx.fillText(plot.unit ? shown(limit, plot.unit, 1).replace(/[.,]0(?=\u00a0%)/, "") : number(limit, 0), left + width - 2, at); u.ctx.restore();
    }
  }

  function whiskers(u, plot) {
    const ctx = u.ctx; ctx.save(); ctx.strokeStyle = colour("--candidate"); ctx.globalAlpha = 0.35; ctx.lineWidth = 5 * devicePixelRatio; ctx.lineCap = "round";
    ctx.beginPath(); ctx.rect(u.bbox.left, u.bbox.top, u.bbox.width, u.bbox.height); ctx.clip(); ctx.beginPath();
    plot.low.forEach((low, day) => {
      if (low == null || !u.series[1].show) return;
      const x = u.valToPos(day, "x", true); ctx.moveTo(x, u.valToPos(low, "y", true)); ctx.lineTo(x, u.valToPos(plot.high[day], "y", true));
    });
    ctx.stroke(); ctx.restore();
  }

  const days = plot => axis({ values: (u, at) => at.map(v => plot.labels[v] ?? ""), incrs: [1, 2, 3, 5, 7, 14, 30, 90], space: 58, size: 30 });
  const dayOf = plot => ({ label: plot.axis, value: (u, v) => v == null ? "–" : plot.labels[v] });

  function range(plot) {
    const known = [...plot.values, ...plot.low, ...plot.high, ...plot.limits].filter(v => v != null), low = Math.min(...known), high = Math.max(...known);
    if (plot.unit === "ms") return [0, (high || 1) * 1.08];
    const margin = Math.max((high - low) * 0.06, 0.004);
    return [Math.max(0, low - margin), Math.min(1, high + margin)];
  }

  // 1, 2, 5, 10, ... between two latencies; powers of ten alone where those would be many.
  function powers(low, high) {
    const all = [-1, 0, 1, 2, 3, 4, 5, 6].flatMap(power => [1, 2, 5].map(lead => lead * 10 ** power)).filter(v => v >= low && v <= high);
    return all.length <= 7 ? all : all.filter(v => Number.isInteger(Math.round(Math.log10(v) * 1e6) / 1e6));
  }

  const kinds = {
    days: plot => ({
      data: [plot.labels.map((_, day) => day), plot.values],
      options: {
        height: 200, scales: { x: { time: false, range: (u, a, b) => a === b ? [a - 0.5, b + 0.5] : a <= 0 && b >= plot.labels.length - 1 ? [-0.5, plot.labels.length - 0.5] : [a, b] }, y: { range: () => range(plot) } },
        axes: [days(plot), upright(plot.unit)],
        series: [dayOf(plot), { label: plot.name, stroke: () => colour("--candidate"), width: 2, points: { show: true, size: 6, fill: () => colour("--candidate") }, value: (u, v, s, day) => day == null || v == null ? "–" : shown(v, plot.unit, 1) + (plot.low[day] == null ? "" : ` (${shown(plot.low[day], plot.unit, 1)} – ${shown(plot.high[day], plot.unit, 1)})`) }],
        hooks: { drawClear: [u => { whiskers(u, plot); }], draw: [u => limits(u, plot)] },
      },
    }),
    evidence: plot => ({
      data: [plot.labels.map((_, day) => day), ...plot.series.map(each => each.values)],
      options: {
        height: 220, scales: { x: { time: false, range: (u, a, b) => a === b ? [a - 0.5, b + 0.5] : [a, b] }, y: { range: () => [0, 1.25] } },
        axes: [days(plot), upright("", { incrs: [0.25] })],
        series: [dayOf(plot), ...plot.series.map((each, place) => ({ label: each.name, stroke: () => line(place), width: 2, points: { show: plot.labels.length < 3 }, value: (u, v) => shown(v, "", 2) }))],
        hooks: { draw: [u => limits(u, { limits: [1] })] },
      },
    }),
    spread: plot => ({
      data: [plot.at, ...plot.series.map(each => each.values)],
      options: {
        height: 200, scales: { x: { time: false, distr: 3, range: (u, a, b) => [a, b] }, y: { range: (u, a, b) => [0, (b || 1) * 1.08] } },
        axes: [axis({ splits: () => powers(plot.at[0], plot.at[plot.at.length - 1]), values: (u, at) => at.map(v => number(v, v < 1 ? 1 : 0)), filter: (u, at) => at, size: 30 }), upright("%")],
        series: [{ label: plot.axis, value: (u, v) => shown(v, "ms") }, ...plot.series.map((each, place) => ({ label: each.name, stroke: () => line(place), fill: () => line(place) + "40", width: 1.3, points: { show: false }, paths: uPlot.paths.stepped({ align: 0 }), value: (u, v) => shown(v, "%", 1) }))],
        hooks: { draw: [u => { for (const limit of plot.limits) { const x = u.valToPos(limit, "x", true); if (x > u.bbox.left && x < u.bbox.left + u.bbox.width) dash(u, [x, u.bbox.top], [x, u.bbox.top + u.bbox.height], colour("--bad")); } }] },
      },
    }),
    // A criterion: its estimate with bounds, against the threshold of GO (green) and of NO-GO (red).
    interval: plot => {
      const known = [plot.estimate, plot.low, plot.high, plot.go, plot.no_go].filter(v => v != null), low = Math.min(...known), high = Math.max(...known), margin = (high - low || Math.abs(high) || 1) * 0.12;
      return {
        data: [[low - margin, high + margin], [0, 1]],
        options: {
          height: 54, legend: { show: false }, cursor: { show: false }, padding: [4, 30, 0, 30],
          scales: { x: { time: false, range: () => [low - margin, high + margin] }, y: { range: () => [0, 1] } },
          axes: [axis({ values: scaled(plot.unit), size: 22, space: 64 }), { show: false }],
          series: [{}, { show: false }],
          hooks: { draw: [u => {
            const ctx = u.ctx, dense = devicePixelRatio, x = v => u.valToPos(v, "x", true), { left, top, width, height } = u.bbox, y = top + height / 2;
            if (plot.go != null) dash(u, [x(plot.go), top], [x(plot.go), top + height], colour("--good"));
            if (plot.no_go != null) dash(u, [x(plot.no_go), top], [x(plot.no_go), top + height], colour("--bad"));
            ctx.save(); ctx.strokeStyle = ctx.fillStyle = colour("--ink"); ctx.lineWidth = 3 * dense; ctx.lineCap = "round";
            if (plot.low != null || plot.high != null) { ctx.beginPath(); ctx.moveTo(plot.low == null ? left : x(plot.low), y); ctx.lineTo(plot.high == null ? left + width : x(plot.high), y); ctx.stroke(); }
            if (plot.estimate != null) { ctx.beginPath(); ctx.arc(x(plot.estimate), y, 5 * dense, 0, 7); ctx.fill(); }
            ctx.restore();
          }] },
        },
      };
    },
  };

  // `old`: what stood there before; somebody may have zoomed into it, or hidden a line.
  function drawn(at, plot, old) {
    const { data, options } = kinds[plot.kind](plot);
    at.replaceChildren();
    const width = printing.now ? 330 : at.clientWidth || 320;
    const chart = new uPlot({ width, ...options, cursor: { y: false, drag: { x: true, y: false }, ...options.cursor } }, data, at);
    if (old && old.zoom) chart.setScale("x", old.zoom);
    chart.series.forEach((each, place) => { if (old && place && old.hidden.includes(each.label)) chart.setSeries(place, { show: false }); });
    made.push({ at, plot, chart });
  }

  // Takes all plots away; what was done to each, by its name.
  function cleared() {
    const kept = {};
    for (const { at, chart } of made.splice(0)) {
      const { min, max } = chart.scales.x, days = chart.data[0], zoomed = min > days[0] || max < days[days.length - 1];
      kept[at.getAttribute("aria-label")] = { zoom: zoomed && { min, max }, hidden: chart.series.filter(each => each.show === false).map(each => each.label) };
      chart.destroy();
    }
    return kept;
  }

  function show(plots, root = document) {
    const kept = cleared();
    for (const at of root.querySelectorAll("[data-plot]")) { const plot = plots[at.dataset.plot]; if (plot) drawn(at, plot, kept[at.getAttribute("aria-label")]); }
  }

  const again = () => { const old = [...made], kept = cleared(); old.forEach(each => drawn(each.at, each.plot, kept[each.at.getAttribute("aria-label")])); };
  addEventListener("resize", () => { for (const { at, chart } of made) if (at.clientWidth && at.clientWidth !== chart.width) chart.setSize({ width: at.clientWidth, height: chart.height }); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  addEventListener("beforeprint", () => { printing.now = true; again(); });
  addEventListener("afterprint", () => { printing.now = false; again(); });
  return { show };
})();
const kept = document.getElementById("plots");
if (kept) Plots.show(JSON.parse(kept.textContent));
