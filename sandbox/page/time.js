// Dates and times as a chat client words them, in the reader's zone and language.

const format = (options) => new Intl.DateTimeFormat(undefined, options);
const TIME = format({ hour: "2-digit", minute: "2-digit" });
const TIME_SECONDS = format({ hour: "2-digit", minute: "2-digit", second: "2-digit" });
const FULL = format({ dateStyle: "full", timeStyle: "medium" });
const LONG_DAY = format({ weekday: "long", day: "numeric", month: "long" });
const NUMERIC = format({ year: "numeric", month: "2-digit", day: "2-digit" });
const DATE = format({ year: "numeric", month: "long", day: "numeric" });
const SHORT = format({ year: "numeric", month: "short", day: "numeric" });
const LONG = format({ weekday: "long", year: "numeric", month: "long", day: "numeric" });

/** A Slack timestamp ("1700000000.000100") or Unix seconds as a Date. */
export const dateOf = (ts) => new Date(Number(ts) * 1000);

export const clock = (ts) => TIME.format(dateOf(ts));
export const fullTime = (ts) => FULL.format(dateOf(ts));
export const dayKey = (ts) => dateOf(ts).toDateString();

function pretty(date, otherwise) {
  const days = Math.round((startOfDay(new Date()) - startOfDay(date)) / 86_400_000);
  if (days === 0) return "Today";
  if (days === 1) return "Yesterday";
  return days === -1 ? "Tomorrow" : otherwise.format(date);
}

const startOfDay = (date) => new Date(date.getFullYear(), date.getMonth(), date.getDate());

/** "Today", "Yesterday" or the day's name and date. */
export const dayLabel = (ts) => pretty(dateOf(ts), LONG_DAY);

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
  date_num: (d) => NUMERIC.format(d),
  date: (d) => DATE.format(d),
  date_short: (d) => SHORT.format(d),
  date_long: (d) => LONG.format(d),
  date_pretty: (d) => pretty(d, DATE),
  date_short_pretty: (d) => pretty(d, SHORT),
  date_long_pretty: (d) => pretty(d, LONG),
  day_divider_pretty: (d) => pretty(d, LONG_DAY),
  date_long_full: (d) => LONG.format(d),
  time: (d) => TIME.format(d),
  time_secs: (d) => TIME_SECONDS.format(d),
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
