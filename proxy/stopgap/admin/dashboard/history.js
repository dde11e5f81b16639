// What was changed, when, by whom and why, and how does one go back?

import { get, post, Refused } from "./api.js";
import { difference } from "./change.js";
import { el, fill } from "./dom.js";
import { moment } from "./format.js";
import { t } from "./words.js";

export async function changes(place, context) {
  const told = await get("history");
  const said = el("div", { "aria-live": "polite" });
  const able = context.session.near;
  const back = (one) =>
    el(
      "button",
      {
        type: "button",
        onclick: async () => {
          if (!confirm(t("rollbackSure", one.version))) return;
          try {
            const answer = await post(`rollback/${one.version}`);
            context.changed();
            fill(said, el("p", { class: "note ok" }, answer.text));
          } catch (error) {
            if (!(error instanceof Refused)) throw error;
            fill(said, el("p", { class: "note bad" }, error.message));
          }
        },
      },
      t("rollback"),
    );
  fill(
    place,
    el(
      "section",
      { class: "card" },
      el("h2", {}, t("history")),
      el("p", { class: "dim" }, t("historyHint")),
      said,
      told.changes.map((one) =>
        el(
          "article",
          { class: "change" },
          el(
            "div",
            { class: "head" },
            el("h3", {}, el("code", {}, one.version), " ", moment(one.time)),
            one.in_use ? el("span", { class: "tag ok" }, t("inUse")) : able ? back(one) : "",
          ),
          one.first
            ? el("p", { class: "dim" }, t("oldest"))
            : one.diff.length
              ? difference(one.diff)
              : el("p", { class: "dim" }, t("noTextChanged")),
        ),
      ),
    ),
  );
}
