// What the server holds and does: the tiles above and the tables below.

import { get } from "./api.js";
import { count, counted, duration, size } from "./text.js";

const EVERY_MS = 3000;
const element = (id) => document.getElementById(id);

function show(id, text, more = undefined) {
  element(id).textContent = text;
  if (more !== undefined) element(`${id}-more`).textContent = more;
}

/** Fill the body of a table: rows of cells, the first of each being its head. */
function fill(body, rows, nothing) {
  body.replaceChildren(...rows.map(([head, ...cells]) => {
    const row = document.createElement("tr");
    const first = document.createElement("th");
    first.scope = "row";
    first.textContent = head;
    row.append(first, ...cells.map((text) => {
      const cell = document.createElement("td");
      cell.className = "number";
      cell.textContent = text;
      return cell;
    }));
    return row;
  }));
  if (!rows.length) {
    const cell = body.insertRow().insertCell();
    cell.colSpan = 4;
    cell.className = "none";
    cell.textContent = nothing;
  }
}

function perSecond(now, before, pick) {
  if (!before || now.uptime_s < before.uptime_s) return null;
  const seconds = (now.time_ms - before.time_ms) / 1000;
  return seconds > 0 ? (pick(now) - pick(before)) / seconds : null;
}

const KEPT = {
  log: "every change is logged",
  snapshots: "snapshots are written",
  nothing: "nothing is kept on disk",
};

/** Shows the state of the server, again and again while somebody looks. */
export class Server {
  constructor(onState, onFault) {
    this.onState = onState;
    this.onFault = onFault;
    this.before = null;
    this.timer = 0;
    this.asking = false;
    document.addEventListener("visibilitychange", () => { if (!document.hidden) this.look(); });
  }

  async look() {
    clearTimeout(this.timer);
    if (this.asking) return;
    this.asking = true;
    try {
      const now = await get("/api/server");
      this.show(now);
      this.before = now;
      this.onState(now);
    } catch (fault) {
      this.onFault(fault);
    } finally {
      this.asking = false;
      if (!document.hidden) this.timer = setTimeout(() => this.look(), EVERY_MS);
    }
  }

  show(now) {
    element("server").setAttribute("aria-busy", "false");
    const inDatabases = now.databases.reduce((sum, each) => sum + each.keys, 0);
    const series = now.databases.reduce((sum, each) => sum + each.series, 0);
    show("keys", count(inDatabases + now.sessions.keys),
      `${counted(now.databases.length, "database")}, ${counted(now.sessions.open, "session")}`);
    show("series", count(series), counted(now.metrics.names, "metric"));
    const points = perSecond(now, this.before, (each) => each.metrics.points_received);
    show("points", points === null ? "–" : `${count(points)}/s`, `${count(now.metrics.points_received)} received`);
    show("commands", `${count(now.work.commands_per_s)}/s`, `${count(now.work.commands)} since the start`);
    show("clients", count(now.clients.connected),
      now.clients.blocked ? `${count(now.clients.blocked)} waiting` : `up to ${count(now.clients.most)} at a time`);
    show("memory", size(now.memory.used_bytes), `up to ${size(now.memory.peak_bytes)}`);
    const kept = KEPT[now.keeps] ?? "data cannot be made safe";
    element("about").textContent = `${now.version}, up ${duration(now.uptime_s)}, ${kept}`;
    fill(element("databases"), now.databases.map((each) => [
      each.index === now.metrics.database && each.series ? `${each.index} (metrics)` : `${each.index}`,
      count(each.keys), count(each.series), count(each.expiring),
    ]), "All databases are empty.");
    fill(element("sessions"), now.sessions.first.map((each) => [
      `${each.name || "without a name"}${each.shared ? ", shared" : ""}`, count(each.keys), count(each.series),
      each.ends_in_s === null ? "never" : duration(each.ends_in_s),
    ]), "No sessions are open.");
    const more = now.sessions.open - now.sessions.first.length;
    element("sessions-more").textContent = more > 0 ? `and ${counted(more, "other session")}` : "";
  }
}
