// Dates and times as a chat client words them, in the reader's zone and language.

const OPTIONS = {
  time: { hour: "2-digit", minute: "2-digit" },
  seconds: { hour: "2-digit", minute: "2-digit", second: "2-digit" },
  full: { dateStyle: "full", timeStyle: "long" },
  longDay: { weekday: "long", day: "numeric", month: "long" },
  numeric: { year: "numeric", month: "2-digit", day: "2-digit" },
  date: { month: "long", day: "numeric" },
  longDate: { year: "numeric", month: "long", day: "numeric" },
  short: { year: "numeric", month: "short", day: "numeric" },
  long: { weekday: "long", year: "numeric", month: "long", day: "numeric" },
};
let zone;
let formats = {};

/** Show all times in a time zone ("Europe/Berlin") from now on: the acting user's, as Slack does. */
export function setZone(name) {
  zone = name;
  formats = {};
}

function formatted(kind, date) {
  formats[kind] ??= new Intl.DateTimeFormat(undefined, { ...OPTIONS[kind], timeZone: zone });
  return formats[kind].format(date);
}

/** A Slack timestamp ("1700000000.000100") or Unix seconds as a Date. */
export const dateOf = (ts) => new Date(Number(ts) * 1000);

export const clock = (ts) => formatted("time", dateOf(ts));
export const fullTime = (ts) => formatted("full", dateOf(ts));
export const dayKey = (ts) => isoDay(dateOf(ts));

function pretty(date, otherwise) {
  const days = Math.round((Date.parse(isoDay(new Date())) - Date.parse(isoDay(date))) / 86_400_000);
  if (days === 0) return "Today";
  if (days === 1) return "Yesterday";
  return days === -1 ? "Tomorrow" : formatted(otherwise, date);
}

/** The day in the zone, as "2026-11-30". */
const isoDay = (date) => new Intl.DateTimeFormat("en-CA", { ...OPTIONS.numeric, timeZone: zone }).format(date);

/** "Today", "Yesterday" or the day's name and date. */
export const dayLabel = (ts) => pretty(dateOf(ts), "longDay");

/** "just now", "5 minutes ago", "in 3 hours"… */
export function ago(ts) {
  const seconds = Number(ts) - Date.now() / 1000;
  const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
  for (const [unit, size] of [["day", 86_400], ["hour", 3600], ["minute", 60]]) {
    if (Math.abs(seconds) >= size) return relative.format(Math.round(seconds / size), unit);
  }
  return Math.abs(seconds) < 10 ? "just now" : relative.format(Math.round(seconds), "second");
}

const TOKENS = {
  date_num: isoDay,
  date: (d) => formatted("date", d),
  date_short: (d) => formatted("short", d),
  date_long: (d) => formatted("long", d),
  date_pretty: (d) => pretty(d, "date"),
  date_short_pretty: (d) => pretty(d, "short"),
  date_long_pretty: (d) => pretty(d, "long"),
  day_divider_pretty: (d) => pretty(d, "longDay"),
  date_long_full: (d) => formatted("longDate", d),
  date_slash: (d) => formatted("numeric", d),
  time: (d) => formatted("time", d),
  time_secs: (d) => formatted("seconds", d),
  ago: (d) => ago(d.getTime() / 1000),
};

/** Fill in Slack's date tokens ("{date_short} at {time}"); null when the time is no number or a token is unknown. */
export function slackDate(timestamp, pattern) {
  const date = dateOf(timestamp);
  if (Number.isNaN(date.getTime())) return null;
  let known = true;
  const text = pattern.replace(/\{(\w+)\}/g, (_, token) => {
    if (TOKENS[token]) return TOKENS[token](date);
    known = false;
    return "";
  });
  return known ? text : null;
}

/** "812 B", "4.1 kB", "2.3 MB". */
export function fileSize(bytes) {
  const size = Number(bytes) || 0;
  if (size < 1000) return `${size} B`;
  const kilo = size / 1000;
  return kilo < 1000 ? `${kilo.toFixed(kilo < 10 ? 1 : 0)} kB` : `${(kilo / 1000).toFixed(1)} MB`;
}
