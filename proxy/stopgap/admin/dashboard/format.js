// How are numbers, times and commands written?

import { language } from "./words.js";

const locale = () => (language() === "ja" ? "ja-JP" : "en-GB");

export const number = (value) => new Intl.NumberFormat(locale()).format(value);

/** A number for the edge of a chart: `2M`, `200万`. */
export const short = (value) =>
  new Intl.NumberFormat(language(), { notation: "compact", maximumFractionDigits: 1 }).format(value);

/** A rate with as many digits as one can read. */
export const rate = (value) =>
  new Intl.NumberFormat(locale(), { maximumFractionDigits: value < 10 ? 1 : 0 }).format(value);

/** Seconds as `3.2 ms` or `1.4 s`. */
export function duration(seconds) {
  if (seconds === null) return "–";
  const small = seconds < 1;
  const value = small ? seconds * 1000 : seconds;
  const text = new Intl.NumberFormat(locale(), { maximumSignificantDigits: 2 }).format(value);
  return `${text} ${small ? "ms" : "s"}`;
}

const two = (value) => String(value).padStart(2, "0");

/** `14:03:22`, with the day where it is not today. */
export function clock(ms) {
  const at = new Date(ms);
  const time = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  return at.toDateString() === new Date().toDateString()
    ? time
    : `${two(at.getMonth() + 1)}-${two(at.getDate())} ${time}`;
}

/** Day and time of an RFC 3339 text, in the time of this machine. */
export function moment(text) {
  const at = new Date(text);
  return Number.isNaN(at.getTime())
    ? text
    : at.toLocaleString(locale(), { dateStyle: "medium", timeStyle: "medium" });
}

/** Seconds as `3 d 4 h`. */
export function age(seconds) {
  const units = [
    ["d", 86400],
    ["h", 3600],
    ["min", 60],
    ["s", 1],
  ];
  const at = units.findIndex(([, size]) => seconds >= size);
  if (at < 0) return "0 s";
  return units
    .slice(at, at + 2)
    .map(([name, size], place) => [Math.floor((place ? seconds % units[at][1] : seconds) / size), name])
    .filter(([count, name], place) => place === 0 || (count && name !== "s"))
    .map(([count, name]) => `${count} ${name}`)
    .join(" ");
}

/** Words as a line for a shell. */
export const command = (words) =>
  words
    .map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`))
    .join(" ");
