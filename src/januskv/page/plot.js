// The plot: uPlot with the colours of the page, and keys to read it by.

import * as text from "./text.js";

const LIGHT = ["#2a5d9f", "#b8500b", "#237a52", "#8a3ea3", "#9a6a08", "#0b7285", "#b8325a", "#5b6776"];
const DARK = ["#7db2f5", "#f2a065", "#6fd3a0", "#cda0f2", "#e3c463", "#5ccfe0", "#ff93ae", "#aab6c6"];
const DASHES = [[], [7, 4], [2, 3], [9, 3, 2, 3]];
const HEIGHT = 360;
// Points are not joined that are further apart than so many buckets, and so many times the distance of those beside them.
const GAP = 3.5;
// Seconds between two marks of the time axis -> what stands there, and where another year, day or minute begins.
const DAY = "\n{D} {MMM}";
const YEAR = `${DAY} {YYYY}`;
const TIMES = [
  [31536000, "{YYYY}", null, null, null, null, null, null, 1],
  [2419200, "{MMM}", "\n{YYYY}", null, null, null, null, null, 1],
  [86400, "{D} {MMM}", "\n{YYYY}", null, null, null, null, null, 1],
  [60, "{HH}:{mm}", YEAR, null, DAY, null, null, null, 1],
  [1, "{HH}:{mm}:{ss}", YEAR, null, DAY, null, null, null, 1],
  [0.001, ":{ss}.{fff}", `\n{HH}:{mm}${YEAR.replace("\n", " ")}`, null, `\n{HH}:{mm}${DAY.replace("\n", " ")}`, null, "\n{HH}:{mm}", null, 1],
];
const dark = matchMedia("(prefers-color-scheme: dark)");

/** Colour and dashes of a line: dashes tell those apart that have one colour. */
export function style(number) {
  const colours = dark.matches ? DARK : LIGHT;
  return { colour: colours[number % colours.length], dash: DASHES[Math.floor(number / colours.length) % DASHES.length] };
}

function named(variable) {
  return getComputedStyle(document.documentElement).getPropertyValue(variable).trim();
}

/** Draws `lines` ({name, times, values, hidden}) in an element; times in ms. */
export class Plot {
  constructor(host, { onCursor, onSelect, onTheme }) {
    this.host = host;
    this.onCursor = onCursor;
    this.onSelect = onSelect;
    this.chart = null;
    this.lines = [];
    this.span = null;
    host.addEventListener("keydown", (event) => this.key(event));
    host.addEventListener("blur", () => this.point(null));
    new ResizeObserver(() => this.fit()).observe(host);
    dark.addEventListener("change", () => { this.build(); onTheme(); });
  }

  /** Show lines between two times; `step` is the length of their buckets in ms, 0 where all points are shown. */
  draw(lines, span, step) {
    const same = this.chart && lines.length === this.lines.length
      && lines.every((line, at) => line.name === this.lines[at].name);
    this.lines = lines;
    this.span = span;
    this.data = aligned(lines, step);
    if (!same) {
      this.build();
      return;
    }
    this.chart.setData(this.data, false);
    this.chart.setScale("x", { min: span[0] / 1000, max: span[1] / 1000 });
  }

  build() {
    this.chart?.destroy();
    this.chart = null;
    if (!this.data) return;
    const axis = {
      stroke: named("--soft"),
      grid: { stroke: named("--line"), width: 1 },
      ticks: { stroke: named("--line"), width: 1, size: 5 },
      font: "12px system-ui, sans-serif",
    };
    const few = this.lines.every((line) => line.times.length <= 80);
    this.chart = new uPlot({
      width: this.width(),
      height: HEIGHT,
      legend: { show: false },
      cursor: { drag: { x: true, y: false, setScale: false }, points: { size: 7 } },
      scales: {
        x: { time: true, range: () => [this.span[0] / 1000, this.span[1] / 1000] },
        y: { range: (chart, least, most) => range(least, most) },
      },
      axes: [{ ...axis, values: TIMES, space: 70 }, { ...axis, size: measured, values: (chart, ticks) => ticks.map((each) => text.value(each)) }],
      series: [{}, ...this.lines.map((line, at) => {
        const { colour, dash } = style(at);
        return {
          label: line.name, stroke: colour, dash, width: 1.75, show: !line.hidden,
          points: { show: few || undefined, size: 5, fill: colour, stroke: colour },
        };
      })],
      hooks: {
        setCursor: [(chart) => this.cursorMoved(chart)],
        setSelect: [(chart) => this.selected(chart)],
      },
    }, this.data, this.host);
  }

  width() {
    return Math.max(this.host.clientWidth, 200);
  }

  fit() {
    if (this.chart && Math.abs(this.chart.width - this.width()) > 1) this.chart.setSize({ width: this.width(), height: HEIGHT });
  }

  toggle(at) {
    const line = this.lines[at];
    line.hidden = !line.hidden;
    this.chart.setSeries(at + 1, { show: !line.hidden });
  }

  cursorMoved(chart) {
    const at = chart.cursor.idx;
    this.onCursor(at === null || at === undefined ? null : this.at(at));
  }

  /** Time and values at a place of the data. */
  at(place) {
    return { time: this.data[0][place] * 1000, values: this.data.slice(1).map((column) => column[place]) };
  }

  selected(chart) {
    const { left, width } = chart.select;
    if (width < 8) return;
    const [from, to] = [chart.posToVal(left, "x"), chart.posToVal(left + width, "x")];
    chart.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
    this.onSelect(Math.floor(from * 1000), Math.ceil(to * 1000));
  }

  key(event) {
    const times = this.data?.[0] ?? [];
    if (!this.chart || !times.length) return;
    const now = this.chart.cursor.idx ?? null;
    const last = times.length - 1;
    const places = {
      ArrowRight: now === null ? 0 : Math.min(now + 1, last),
      ArrowLeft: now === null ? last : Math.max(now - 1, 0),
      Home: 0,
      End: last,
      Escape: null,
    };
    if (!(event.key in places)) return;
    event.preventDefault();
    this.point(places[event.key], true);
  }

  /** Put the cursor to a place of the data, or nowhere. */
  point(place, told = false) {
    if (!this.chart) return;
    if (place === null) {
      this.chart.setCursor({ left: -10, top: -10 });
      return;
    }
    const { time, values } = this.at(place);
    const value = values.find((each) => each !== null && each !== undefined);
    this.chart.setCursor({
      left: Math.round(this.chart.valToPos(time / 1000, "x")),
      top: value === undefined ? 0 : Math.round(this.chart.valToPos(value, "y")),
    });
    if (told) this.onCursor({ time, values }, true);
  }
}

/** The range of the values' axis: some room around what there is, and 0 where that is near. */
function range(least, most) {
  if (least === null || most === null || !Number.isFinite(least)) return [0, 1];
  if (least === most) return least === 0 ? [0, 1] : [Math.min(0, least * 1.2), Math.max(0, most * 1.2)];
  const room = (most - least) * 0.08;
  const low = least >= 0 && least < (most - least) * 0.6 ? 0 : least - room;
  return [low, most + room];
}

/** How wide the axis of the values must be for its texts. */
function measured(chart, texts) {
  const longest = (texts ?? []).reduce((most, each) => Math.max(most, each.length), 0);
  return Math.max(46, 18 + longest * 7);
}

/** Columns of one length: all times, and each line's value at each; null where a line has a gap. */
function aligned(lines, step) {
  const known = lines.map((line) => {
    const values = new Map();
    const { times } = line;
    const steps = times.map((time, at) => (at ? time - times[at - 1] : 0));
    times.forEach((time, at) => {
      const around = Math.max(steps[at - 1] ?? 0, steps[at + 1] ?? 0);
      if (steps[at] > GAP * Math.max(step, around || Infinity)) values.set(times[at - 1] + 1, null);
      values.set(time, line.values[at]);
    });
    return values;
  });
  const all = [...new Set(known.flatMap((values) => [...values.keys()]))].sort((a, b) => a - b);
  const columns = known.map((values) => all.map((time) => values.get(time)));
  return [all.map((time) => time / 1000), ...columns];
}
