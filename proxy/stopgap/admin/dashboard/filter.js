// Which events are wanted? `rule:ida-idq client:192.0.2.0/24 -action:detected search` and so on.

import { ACTION, CLIENT, HOST, ID, METHOD, MODE, REASON, RULE, SITE, STATUS, TARGET, TIER } from "./store.js";
import { network } from "./net.js";

const EXACT = {
  rule: RULE,
  reason: REASON,
  site: SITE,
  action: ACTION,
  mode: MODE,
  tier: TIER,
  method: METHOD,
};
const PARTLY = { path: TARGET, host: HOST, id: ID };
export const KEYS = [...Object.keys(EXACT), "client", ...Object.keys(PARTLY), "status"];

/** A function that says of a row whether it is wanted. */
export function filter(text) {
  const tests = text.trim().split(/\s+/).filter(Boolean).map(test);
  return (row) => tests.every((one) => one(row));
}

function test(word) {
  if (word.length > 1 && word.startsWith("-")) {
    const not = test(word.slice(1));
    return (row) => !not(row);
  }
  const at = word.indexOf(":");
  const key = word.slice(0, Math.max(at, 0));
  const value = word.slice(at + 1).toLowerCase();
  if (key in EXACT) return (row) => row[EXACT[key]].toLowerCase() === value;
  if (key in PARTLY) return (row) => row[PARTLY[key]].toLowerCase().includes(value);
  if (key === "status") return (row) => String(row[STATUS]).startsWith(value);
  if (key === "client")
    return network(value) ? inside(network(value)) : (row) => row[CLIENT].startsWith(value);
  const wanted = word.toLowerCase();
  return (row) =>
    [TARGET, CLIENT, RULE, REASON, HOST, ID, SITE].some((place) => row[place].toLowerCase().includes(wanted));
}

const inside = (belongs) => (row) => belongs(row[CLIENT]);

/** The filter with a word more, or without it where it is there already. */
export function toggled(text, word) {
  const words = text.trim().split(/\s+/).filter(Boolean);
  return (words.includes(word) ? words.filter((one) => one !== word) : [...words, word]).join(" ");
}
