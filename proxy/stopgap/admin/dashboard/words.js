// In which language does the page speak, and what are its words? `words.en.js` and `words.ja.js` have them.

import { english } from "./words.en.js";
import { japanese } from "./words.ja.js";

export const LANGUAGES = { en: "English", ja: "日本語" };

const KEY = "stopgap.language";
const WORDS = { en: english, ja: japanese };
let now = chosen();

/** What was chosen here before, or the first language of the browser that there is. */
function chosen() {
  const kept = localStorage.getItem(KEY);
  const wanted = [kept, ...navigator.languages.map((tag) => tag.slice(0, 2).toLowerCase())];
  return wanted.find((code) => code in WORDS) ?? "en";
}

export const language = () => now;

export function speak(code) {
  now = code;
  localStorage.setItem(KEY, code);
}

/** The words of a key; `given` take the places of {0}, {1}. What has no words is shown as it is. */
export function t(key, ...given) {
  const text = WORDS[now][key] ?? WORDS.en[key] ?? key.replace(/^.*\./, "");
  return text.replace(/\{(\d)\}/g, (place, number) => given[Number(number)] ?? place);
}

/** The title of a rule and the sentence of a reason, in the language of the page where they have it. */
export const titled = (rule) => (now === "ja" && rule.title_ja) || rule.title;
export const told = (reason) => (now === "ja" && reason.text_ja) || reason.text;
