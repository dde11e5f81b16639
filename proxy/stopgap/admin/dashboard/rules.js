// Which rules and reasons are there, in which mode, and how often were they met?

import { get } from "./api.js";
import { el, fill, table, tag } from "./dom.js";
import { number } from "./format.js";
import { t, titled, told } from "./words.js";

const WEIGHT = { critical: 0, high: 1, medium: 2, low: 3 };
let wanted = "";
let part = "rules";

export async function rules(place, context) {
  const known = await get("rules");
  const input = el("input", {
    type: "search",
    value: wanted,
    "aria-label": t("filter"),
    placeholder: t("ruleExample"),
    oninput: () => {
      wanted = input.value;
      show();
    },
  });
  const result = el("div");
  const parts = el(
    "div",
    { class: "switch", role: "group", "aria-label": t("show") },
    ["rules", "reasons"].map((one) =>
      el(
        "button",
        {
          type: "button",
          "aria-pressed": one === part,
          onclick: () => {
            part = one;
            context.again();
          },
        },
        t(one),
      ),
    ),
  );

  function show() {
    const words = wanted.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = (texts) => words.every((word) => texts.some((text) => text.toLowerCase().includes(word)));
    if (part === "rules") {
      const rows = known.rules
        .filter((rule) => fits([rule.id, rule.title, rule.title_ja, rule.pack, ...rule.refs]))
        .sort((one, other) => hits(other) - hits(one) || WEIGHT[one.severity] - WEIGHT[other.severity]);
      fill(
        result,
        el("p", { class: "dim" }, `${number(rows.length)} / ${number(known.rules.length)}`),
        table(
          [
            t("rule"),
            t("title"),
            t("severity"),
            t("pack"),
            t("mode"),
            [t("refused"), "right"],
            [t("detected"), "right"],
          ],
          rows.map((rule) => [
            el("a", { href: `#/rule/${encodeURIComponent(rule.id)}` }, rule.id),
            titled(rule),
            el("span", { class: `severity ${rule.severity}` }, t(`severity.${rule.severity}`)),
            rule.pack,
            modes(rule.modes),
            number(stopped(rule)),
            number(rule.hits.detected ?? 0),
          ]),
        ),
      );
    } else {
      const rows = known.reasons
        .filter((reason) => fits([reason.name, reason.text, reason.text_ja, reason.tier]))
        .sort((one, other) => other.refused + other.detected - one.refused - one.detected);
      fill(
        result,
        el("p", { class: "dim" }, `${number(rows.length)} / ${number(known.reasons.length)}`),
        table(
          [
            t("reason"),
            t("meaning"),
            t("tier"),
            [t("status"), "right"],
            t("mode"),
            [t("refused"), "right"],
            [t("detected"), "right"],
          ],
          rows.map((reason) => [
            el("a", { href: `#/reason/${encodeURIComponent(reason.name)}` }, reason.name),
            told(reason),
            el("span", { class: reason.tier }, t(`tier.${reason.tier}`)),
            String(reason.status),
            Object.keys(reason.modes).length
              ? modes(reason.modes)
              : el("span", { class: "dim" }, t("always")),
            number(reason.refused),
            number(reason.detected),
          ]),
        ),
      );
    }
  }

  fill(place, el("section", { class: "card" }, el("div", { class: "bar-line" }, parts, input), result));
  show();
}

export const stopped = (rule) =>
  (rule.hits.refused ?? 0) +
  (rule.hits.dropped ?? 0) +
  (rule.hits.tarpitted ?? 0) +
  (rule.hits.stripped ?? 0);
const hits = (rule) => Object.values(rule.hits).reduce((total, count) => total + count, 0);

/** The modes of all sites: one word where they agree. */
export function modes(bySite) {
  const kinds = [...new Set(Object.values(bySite))];
  if (kinds.length === 1) return tag(kinds[0], t(`mode.${kinds[0]}`));
  return el(
    "span",
    {},
    Object.entries(bySite).map(([site, mode]) => [tag(mode, `${site}: ${t(`mode.${mode}`)}`), " "]),
  );
}
