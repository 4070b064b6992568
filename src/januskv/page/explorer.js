// The explorer: what is asked for, the question to the server, the plot and its table; live through a subscription.

import { get, NeedsLogin, post } from "./api.js";
import { Live } from "./live.js";
import { Plot, style } from "./plot.js";
import * as text from "./text.js";

const MOST_LINES = 40;
const MOST_VALUES = 500;
const SHOWN_METRICS = 60;
// What is split at first: a tag with few values, as one line for all hides most and hundreds hide everything.
const FEW_VALUES = 12;
const LIVE_EVERY_MS = 700;
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 604800];
const UNITS = { s: 1, m: 60, h: 3600, d: 86400 };
const element = (id) => document.getElementById(id);

function option(value, label = value) {
  const made = document.createElement("option");
  made.value = value;
  made.textContent = label;
  return made;
}

function later(milliseconds, act) {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(act, milliseconds);
  };
}

export class Explorer {
  constructor(onFault) {
    this.onFault = onFault;
    this.form = element("explore");
    this.metric = "";
    this.lines = [];
    this.live = null;
    this.asked = 0;
    this.plot = new Plot(element("plot"), {
      onCursor: (at, told) => this.read(at, told),
      onSelect: (from, to) => this.zoom(from, to),
      onTheme: () => this.listLines(),
    });
    const suggest = later(150, () => this.suggest());
    const metric = element("metric");
    metric.addEventListener("input", () => {
      const known = [...element("metric-names").options].some((each) => each.value === metric.value);
      if (known) this.choose(metric.value);
      else suggest();
    });
    metric.addEventListener("change", () => { if (metric.value && metric.value !== this.metric) this.choose(metric.value); });
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      const wanted = metric.value.trim();
      if (wanted && wanted !== this.metric) this.choose(wanted);
      else this.draw();
    });
    this.form.addEventListener("change", (event) => {
      if (event.target === metric) return;
      element("custom").hidden = element("range").value !== "custom";
      if (event.target.id === "range" && event.target.value === "custom") this.presetTimes();
      if (this.metric) this.draw();
    });
    document.addEventListener("visibilitychange", () => { if (!document.hidden && this.live) this.refresh(); });
  }

  // ---------------------------------------------------------------- what there is to choose from

  /** Load what does not depend on a metric; then what the address asks for. */
  async start() {
    try {
      const functions = (await get("/api/aggregators")).filter((each) => each !== "none");
      element("downsample").replaceChildren(...functions.map((each) => option(each)));
      element("aggregator").replaceChildren(option("none", "kept apart"), ...functions.map((each) => option(each, `${each} of all`)));
      await this.suggest();
      await this.listMetrics();
      if (!this.metric) await this.restore();
    } catch (fault) {
      this.fail(fault);
    }
  }

  async suggest() {
    try {
      const names = await get("/api/suggest", { type: "metrics", m: element("metric").value.trim(), max: 100 });
      element("metric-names").replaceChildren(...names.map((each) => option(each)));
      return names;
    } catch (fault) {
      this.fail(fault);
      return [];
    }
  }

  /** Show the first metrics as buttons, while none is chosen. */
  async listMetrics() {
    const names = await get("/api/suggest", { type: "metrics", max: SHOWN_METRICS });
    element("metric-buttons").replaceChildren(...names.map((name) => {
      const item = document.createElement("li");
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = name;
      button.addEventListener("click", () => {
        element("metric").value = name;
        this.choose(name);
        element("metric").focus();
      });
      item.append(button);
      return item;
    }));
    element("welcome-text").textContent = names.length ? "Choose a metric to see it." : "";
    element("how-to").hidden = names.length > 0;
  }

  /** Choose a metric: offer its tags, and draw it. */
  async choose(metric, wanted = null) {
    this.metric = metric;
    const rows = element("tag-rows");
    try {
      const keys = await get("/api/suggest", { type: "tagk", m: metric, max: 50 });
      const values = await Promise.all(
        keys.map((key) => get("/api/suggest", { type: "tagv", m: metric, t: key, max: MOST_VALUES })),
      );
      if (this.metric !== metric) return;
      const few = values.findIndex((each) => each.length > 1 && each.length <= FEW_VALUES);
      rows.replaceChildren(...keys.map((key, at) => this.tagRow(key, at, values[at], wanted ? wanted[key] : { split: at === few })));
      element("tags").hidden = !keys.length;
      await this.draw();
    } catch (fault) {
      this.fail(fault);
    }
  }

  tagRow(key, at, values, wanted) {
    const row = document.createElement("div");
    row.className = "tag";
    const label = document.createElement("label");
    label.htmlFor = `tag-${at}`;
    label.textContent = label.title = key;
    const input = document.createElement("input");
    input.id = label.htmlFor;
    input.dataset.key = key;
    input.placeholder = `any of ${values.length === MOST_VALUES ? "many" : values.length}`;
    input.spellcheck = false;
    input.value = wanted?.pattern ?? "";
    const list = document.createElement("datalist");
    list.id = `tag-values-${at}`;
    list.append(...values.map((each) => option(each)));
    input.setAttribute("list", list.id);
    const split = document.createElement("label");
    split.className = "split";
    const box = document.createElement("input");
    box.type = "checkbox";
    box.checked = wanted?.split ?? false;
    box.setAttribute("aria-label", `split by ${key}`);
    split.append(box, "split");
    row.append(label, input, list, split);
    return row;
  }

  // ---------------------------------------------------------------- what is asked for

  /** The tags as the API wants them: patterns of those that select or split. */
  tags() {
    const found = {};
    for (const row of document.querySelectorAll(".tag")) {
      const input = row.querySelector("input[data-key]");
      const split = row.querySelector("input[type=checkbox]").checked;
      const pattern = input.value.trim();
      if (pattern || split) found[input.dataset.key] = pattern || ".*";
    }
    return found;
  }

  presetTimes() {
    const now = Date.now();
    if (!element("from").value) element("from").value = text.localTime(now - 3600000);
    if (!element("to").value) element("to").value = text.localTime(now);
  }

  /** Whether the range ends now, and goes on. */
  get moving() {
    return element("range").value !== "custom";
  }

  span() {
    if (this.moving) {
      const now = Date.now();
      return [now - Number(element("range").value) * 1000, now];
    }
    const [from, to] = ["from", "to"].map((id) => new Date(element(id).value).getTime());
    if (!(from < to)) throw new Error("The time to begin with has to be before the one to end with.");
    return [from, to];
  }

  /** The length of a bucket in seconds; null for all points. */
  step(span) {
    const chosen = element("interval").value;
    if (chosen === "raw") return null;
    if (chosen !== "auto") return Number(chosen.slice(0, -1)) * UNITS[chosen.slice(-1)];
    const wanted = (span[1] - span[0]) / 1000 / Math.max(this.plot.width() / 3, 60);
    return STEPS.find((each) => each >= wanted) ?? STEPS[STEPS.length - 1];
  }

  question(from, to, step) {
    const sub = { metric: this.metric, aggregator: element("aggregator").value, tags: this.tags() };
    if (step !== null) sub.downsample = `${step}s-${element("downsample").value}`;
    if (element("rate").checked) {
      sub.rate = true;
      sub.rateOptions = { interval: "1s" };
    }
    return { start: Math.max(Math.floor(from), 1e10), end: Math.ceil(to), msResolution: true, queries: [sub] };
  }

  // ---------------------------------------------------------------- drawing

  async draw() {
    if (!this.metric) return;
    this.endLive();
    const number = ++this.asked;
    element("drawn").setAttribute("aria-busy", "true");
    try {
      const span = this.span();
      element("welcome").hidden = true;
      element("drawn").hidden = false;
      const step = this.step(span);
      const found = await post("/api/query", this.question(span[0], span[1], step));
      if (number !== this.asked) return;
      this.lines = found.map((group) => lineOf(group));
      this.step_s = step;
      this.show(span);
      this.remember();
      element("problem").hidden = true;
      if (this.moving && element("live").checked) this.goLive();
    } catch (fault) {
      if (number === this.asked) {
        this.lines = [];
        this.fail(fault);
      }
    } finally {
      if (number === this.asked) element("drawn").removeAttribute("aria-busy");
    }
  }

  show(span) {
    this.lines.sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }));
    const shown = this.lines.slice(0, MOST_LINES);
    this.plot.draw(shown, span, (this.step_s ?? 0) * 1000);
    const points = this.lines.reduce((sum, line) => sum + line.times.length, 0);
    element("plot-title").textContent = this.metric;
    element("plot-note").textContent = this.note(shown.length, points);
    element("plot").setAttribute("aria-label", `${this.metric}: ${text.counted(shown.length, "line")} from ${text.time(span[0])} to ${text.time(span[1])}`);
    this.listLines();
  }

  note(shown, points) {
    if (!points) return "No points in this time.";
    const parts = [text.counted(this.lines.length, "line"), text.counted(points, "point")];
    if (shown < this.lines.length) parts[0] = `the first ${shown} of ${parts[0]}`;
    if (this.step_s !== null) parts.push(`${element("downsample").value} of ${text.duration(this.step_s)}`);
    if (element("rate").checked) parts.push("per second");
    return parts.join(", ");
  }

  listLines() {
    const body = document.querySelector("#lines tbody");
    const focused = document.activeElement?.dataset?.line;
    body.replaceChildren(...this.plot.lines.map((line, at) => this.lineRow(line, at)));
    if (focused !== undefined) body.querySelector(`[data-line="${focused}"]`)?.focus();
  }

  lineRow(line, at) {
    const row = document.createElement("tr");
    const head = document.createElement("th");
    head.scope = "row";
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.line = String(at);
    button.setAttribute("aria-pressed", String(!line.hidden));
    button.append(sample(at), line.name);
    button.addEventListener("click", () => {
      this.plot.toggle(at);
      button.setAttribute("aria-pressed", String(!line.hidden));
    });
    head.append(button);
    const known = line.values.filter((each) => each !== null);
    const sum = known.reduce((a, b) => a + b, 0);
    const figures = known.length
      ? [known[known.length - 1], known.reduce((a, b) => Math.min(a, b)), sum / known.length, known.reduce((a, b) => Math.max(a, b))]
      : [null, null, null, null];
    row.append(head, ...[undefined, ...figures].map((each, place) => {
      const cell = document.createElement("td");
      cell.className = "number";
      if (place) cell.textContent = text.value(each);
      return cell;
    }));
    return row;
  }

  /** Show what the lines are at the cursor; tell it to who cannot see it. */
  read(at, told = false) {
    element("at-head").textContent = at === null ? "At" : text.time(at.time);
    document.querySelectorAll("#lines tbody tr").forEach((row, number) => {
      row.cells[1].textContent = at === null ? "" : text.value(at.values[number]);
    });
    if (told && at !== null) {
      const values = this.plot.lines.map((line, number) => [line, at.values[number]])
        .filter(([line, value]) => !line.hidden && value !== null && value !== undefined)
        .slice(0, 8)
        .map(([line, value]) => `${line.name} ${text.value(value)}`);
      element("reading").textContent = `${text.time(at.time)}: ${values.join(", ") || "no points"}`;
    }
  }

  zoom(from, to) {
    element("range").value = "custom";
    element("custom").hidden = false;
    element("from").value = text.localTime(Math.floor(from / 1000) * 1000);
    element("to").value = text.localTime(Math.ceil(to / 1000) * 1000);
    this.draw();
  }

  fail(fault) {
    if (fault instanceof NeedsLogin) {
      this.onFault(fault);
      return;
    }
    element("drawn").hidden = true;
    element("welcome").hidden = Boolean(this.metric);
    element("problem").textContent = fault.message;
    element("problem").hidden = false;
  }

  // ---------------------------------------------------------------- live

  goLive() {
    const tags = this.tags();
    this.live = new Live(this.metric, tags, () => this.arrived(), (state) => {
      this.tellLive(state);
      if (state === "live") this.arrived(); // what came while there was no connection
    });
    this.refreshed = Date.now();
    // Without points the window moves all the same, slowly.
    this.clock = setInterval(() => { if (Date.now() - this.refreshed > 10000) this.arrived(); }, 5000);
  }

  endLive() {
    this.live?.end();
    this.live = null;
    clearInterval(this.clock);
    clearTimeout(this.soon);
    this.soon = 0;
    this.tellLive("");
  }

  tellLive(state) {
    const shown = element("live-state");
    shown.textContent = { "": "", live: "live", lost: "connecting again" }[state] ?? state;
    shown.className = state === "live" ? "good" : "";
  }

  /** Points have arrived: have the end of the lines computed again, not too often. */
  arrived() {
    if (this.soon || document.hidden) return;
    const wait = Math.max(0, this.refreshed + LIVE_EVERY_MS - Date.now());
    this.soon = setTimeout(() => this.refresh(), wait);
  }

  /** Ask for the buckets that may have changed, and put them behind those that have not. */
  async refresh() {
    const number = this.asked;
    const span = this.span();
    const whole = element("rate").checked || !this.lines.length;
    const last = this.lines.reduce((most, line) => Math.max(most, line.times[line.times.length - 1] ?? 0), span[0]);
    const step_ms = (this.step_s ?? 0) * 1000;
    const from = whole ? span[0] : Math.max(span[0], step_ms ? last - (last % step_ms) - step_ms : last - 5000);
    try {
      const found = await post("/api/query", this.question(from, span[1], this.step_s));
      if (number !== this.asked) return;
      this.lines = joined(this.lines, found.map((group) => lineOf(group)), from, span[0]);
      this.show(span);
    } catch (fault) {
      if (number === this.asked && fault instanceof NeedsLogin) this.onFault(fault);
    } finally {
      this.refreshed = Date.now();
      this.soon = 0;
    }
  }

  // ---------------------------------------------------------------- the address

  /** Keep what is asked for in the address, to come back to it. */
  remember() {
    const kept = new URLSearchParams({ metric: this.metric });
    for (const id of ["range", "interval", "downsample", "aggregator"]) kept.set(id, element(id).value);
    if (!this.moving) for (const id of ["from", "to"]) kept.set(id, element(id).value);
    for (const id of ["rate", "live"]) kept.set(id, element(id).checked ? "1" : "0");
    for (const row of document.querySelectorAll(".tag")) {
      const input = row.querySelector("input[data-key]");
      const split = row.querySelector("input[type=checkbox]").checked;
      if (input.value || split) kept.set(`tag.${input.dataset.key}`, `${split ? "*" : "="}${input.value}`);
    }
    history.replaceState(null, "", `#${kept}`);
  }

  async restore() {
    const kept = new URLSearchParams(location.hash.slice(1));
    const metric = kept.get("metric");
    if (!metric) return;
    const wanted = {};
    for (const [name, value] of kept) {
      if (name.startsWith("tag.")) wanted[name.slice(4)] = { split: value[0] === "*", pattern: value.slice(1) };
    }
    for (const id of ["range", "interval", "downsample", "aggregator", "from", "to"]) {
      if (kept.has(id)) element(id).value = kept.get(id);
    }
    for (const id of ["rate", "live"]) if (kept.has(id)) element(id).checked = kept.get(id) === "1";
    element("custom").hidden = this.moving;
    element("metric").value = metric;
    await this.choose(metric, kept.has("range") ? wanted : null);
  }
}

/** One group of an answer as a line. */
function lineOf(group) {
  const times = Object.keys(group.dps).map(Number).sort((a, b) => a - b);
  const values = times.map((time) => {
    const value = group.dps[time];
    return typeof value === "number" ? value : null; // what is no number comes as text
  });
  const name = Object.keys(group.tags).sort().map((key) => `${key}=${group.tags[key]}`).join(", ");
  return { name: name || group.metric, times, values, hidden: false };
}

/** Lines with their ends computed again from a time on, and without what is before another. */
function joined(old, fresh, from, oldest) {
  const byName = new Map(old.map((line) => [line.name, line]));
  for (const line of fresh) {
    if (!byName.has(line.name)) byName.set(line.name, { ...line, times: [], values: [] });
  }
  const ends = new Map(fresh.map((line) => [line.name, line]));
  return [...byName.values()].map((line) => {
    const end = ends.get(line.name) ?? { times: [], values: [] };
    const [times, values] = [[], []];
    const keep = (time, value) => {
      times.push(time);
      values.push(value);
    };
    line.times.forEach((time, at) => { if (time >= oldest && time < from) keep(time, line.values[at]); });
    end.times.forEach((time, at) => { if (time >= from) keep(time, end.values[at]); });
    return { ...line, times, values };
  }).filter((line) => line.times.length);
}

/** A short piece of a line, as the plot draws it. */
function sample(at) {
  const { colour, dash } = style(at);
  const space = "http://www.w3.org/2000/svg";
  const drawing = document.createElementNS(space, "svg");
  drawing.setAttribute("viewBox", "0 0 26 12");
  drawing.setAttribute("aria-hidden", "true");
  const stroke = document.createElementNS(space, "line");
  const parts = { x1: 1, x2: 25, y1: 6, y2: 6, stroke: colour, "stroke-width": 3, "stroke-dasharray": dash.join(" ") };
  for (const [name, value] of Object.entries(parts)) stroke.setAttribute(name, value);
  drawing.append(stroke);
  return drawing;
}
