// Numbers, sizes and times as people read them.

const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 });
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

/** 12,345 and from a million on 1.2M. */
export function count(number) {
  return Math.abs(number) >= 1e6 ? short.format(number) : whole.format(number);
}

/** A count that goes with a word: 1 key, 2 keys. */
export function counted(number, one, many = `${one}s`) {
  return `${count(number)} ${number === 1 ? one : many}`;
}

export function size(bytes) {
  const units = ["B", "KB", "MB", "GB", "TB"];
  let at = 0;
  while (bytes >= 1024 && at < units.length - 1) {
    bytes /= 1024;
    at += 1;
  }
  return `${at && bytes < 100 ? bytes.toFixed(1) : Math.round(bytes)} ${units[at]}`;
}

export function duration(seconds) {
  const parts = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
  const at = parts.findIndex(([, length]) => seconds >= length);
  if (at < 0) return "0 s";
  const [unit, length] = parts[at];
  const first = `${Math.floor(seconds / length)} ${unit}`;
  const next = parts[at + 1];
  const rest = next ? Math.floor((seconds % length) / next[1]) : 0;
  return rest ? `${first} ${rest} ${next[0]}` : first;
}

/** A value of a metric, with as many digits as it takes to tell it from others. */
export function value(number) {
  if (number === null || number === undefined || Number.isNaN(number)) return "–";
  const most = Math.abs(number);
  if (most !== 0 && (most >= 1e9 || most < 1e-4)) return number.toExponential(3);
  if (most >= 1000) return number.toLocaleString(undefined, { maximumFractionDigits: 1 });
  return number.toLocaleString(undefined, { maximumSignificantDigits: 4 });
}

export function time(ms) {
  return moment.format(new Date(ms));
}

/** What a field for local time holds. */
export function localTime(ms) {
  const date = new Date(ms - new Date(ms).getTimezoneOffset() * 60000);
  return date.toISOString().slice(0, 19);
}
