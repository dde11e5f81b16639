// What was one request, how can it be read, and why was it refused?

import { get, Refused } from "./api.js";
import { exceptionDialog } from "./change.js";
import { el, fill, prose, table, tag } from "./dom.js";
import { moment, number } from "./format.js";
import { t, titled, told } from "./words.js";

const IN_PATH = new Set([null, "path", "extension", "segment", "basename", "depth"]);

export async function event(place, context) {
  const id = context.name;
  let answer;
  try {
    answer = await get(`explained/${encodeURIComponent(id)}`);
  } catch (error) {
    if (!(error instanceof Refused) || error.status !== 404) throw error;
    fill(
      place,
      el(
        "section",
        { class: "card" },
        el("h2", {}, `${t("event")} ${id}`),
        el("p", {}, t("eventGone")),
        el("pre", {}, `stopgap explain --event ${id} --config FILE`),
      ),
    );
    return undefined;
  }
  const { event: one, seen } = answer;
  const reason = context.reason(one["stopgap.reason"]);
  const action = one["event.action"];
  fill(
    place,
    el(
      "section",
      { class: "card" },
      el(
        "div",
        { class: "head" },
        el("h2", {}, t("event"), " ", el("code", {}, one["event.id"])),
        tag(action, t(`action.${action}`)),
      ),
      el(
        "pre",
        { class: "request" },
        `${one["http.request.method"] ?? ""} ${one["url.original"] ?? ""}`.trim() || t("unreadable"),
      ),
      facts(one, reason, answer),
    ),
    answer.steps.length
      ? el(
          "section",
          { class: "card alarm" },
          el("h2", {}, t("nextSteps")),
          el(
            "ol",
            {},
            answer.steps.map((step) => el("li", {}, prose(step))),
          ),
        )
      : "",
    seen ? readings(seen) : "",
    seen
      ? findings(seen, answer, context)
      : el("section", { class: "card" }, el("p", {}, t("nothingToExplain"))),
    proposal(id, one, context),
  );
  return undefined;
}

const title = (answer, rule) => (answer.titles[rule] ? titled(answer.titles[rule]) : "");

function facts(one, reason, answer) {
  const rule = one["rule.id"];
  const rows = [
    [t("time"), moment(one["@timestamp"])],
    [
      t("client"),
      one["source.ip"] ? el("a", { href: `#/events?q=client:${one["source.ip"]}` }, one["source.ip"]) : "–",
    ],
    [t("site"), `${one["stopgap.site"]} · ${one["url.domain"] ?? ""} · ${t(`mode.${one["stopgap.mode"]}`)}`],
    [
      t("reason"),
      el("span", {}, el("b", {}, one["stopgap.reason"]), " ", reason ? told(reason) : one["event.reason"]),
    ],
    rule
      ? [
          t("rule"),
          el(
            "span",
            {},
            el("a", { href: `#/rule/${encodeURIComponent(rule)}` }, rule),
            " ",
            title(answer, rule) || one["rule.name"],
          ),
        ]
      : null,
    one["stopgap.reading"]
      ? [t("readBy"), `${one["stopgap.reading"]} · ${t("byte")} ${one["stopgap.offset"]}`]
      : null,
    one["http.response.status_code"] ? [t("status"), String(one["http.response.status_code"])] : null,
    one["stopgap.count"] ? [t("repeated"), `× ${number(one["stopgap.count"])}`] : null,
    one["user_agent.original"] ? [t("agent"), one["user_agent.original"]] : null,
    one["stopgap.detection"]
      ? [t("detection"), el("a", { href: `#/event/${one["stopgap.detection"]}` }, one["stopgap.detection"])]
      : null,
  ];
  return el(
    "dl",
    {},
    rows.filter(Boolean).map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]),
  );
}

function readings(seen) {
  const hit = new Map(
    seen.findings
      .filter((one) => IN_PATH.has(one.field) && one.tier !== "malformed")
      .map((one) => [one.reading, one.tier]),
  );
  const steps = (list) => el("span", { class: "dim" }, list.join(" › ") || t("asItCame"));
  const climbs = seen.readings.some((one) => one.resolved !== one.path);
  const rows = seen.readings.map((one, at) => [
    String(at),
    el("code", { class: hit.get(at) ?? "" }, one.path),
    climbs ? el("code", {}, one.resolved) : "",
    steps(one.steps),
  ]);
  const queries = seen.queries.map((one, at) => [String(at), el("code", {}, one.query), steps(one.steps)]);
  const columns = [["#", "number"], t("reading"), climbs ? t("resolved") : "", t("steps")];
  return el(
    "section",
    { class: "card" },
    el("h2", {}, t("readings", number(rows.length))),
    el("p", { class: "dim" }, t("readingsHint")),
    table(columns, rows),
    queries.length
      ? [el("h3", {}, t("queries")), table([["#", "number"], t("reading"), t("steps")], queries)]
      : "",
  );
}

function findings(seen, answer, context) {
  const alike = new Map();
  for (const one of seen.findings) {
    const key = JSON.stringify([one.reason, one.rule, one.field, one.excepted]);
    if (!alike.has(key)) alike.set(key, []);
    alike.get(key).push(one);
  }
  const rows = [...alike.values()].map((same) => {
    const [one] = same;
    const known = context.reason(one.reason);
    const where =
      IN_PATH.has(one.field) && one.tier !== "malformed"
        ? same.map((each) => `${each.reading} @ ${each.offset}`).join(", ")
        : `@ ${one.offset}`;
    const excepted = one.excepted === null ? "" : `${t("excepted")} ${answer.excepted[one.excepted] ?? ""}`;
    return [
      el("span", { class: one.tier }, one.reason),
      one.rule
        ? el(
            "span",
            {},
            el("a", { href: `#/rule/${encodeURIComponent(one.rule)}` }, one.rule),
            " ",
            el("span", { class: "dim" }, title(answer, one.rule)),
          )
        : "",
      one.field && one.found
        ? el("span", {}, `${one.field} `, el("code", {}, one.found))
        : known
          ? told(known)
          : one.text,
      where,
      [t(`mode.${one.mode}`), one.counted ? ` · ${t("counted")}` : "", excepted ? ` · ${excepted}` : ""],
    ];
  });
  const verdict = seen.verdict;
  const fate =
    verdict === null
      ? el("p", { class: "verdict ok" }, t("passesNow"))
      : el(
          "p",
          { class: `verdict ${verdict.tier}` },
          t(
            `verdict.${verdict.mode === "detect" && verdict.tier !== "malformed" ? "detect" : verdict.action}`,
            String(verdict.status),
          ),
          ` ${verdict.reason}`,
        );
  return el(
    "section",
    { class: "card" },
    el("h2", {}, t("judgedNow")),
    fate,
    rows.length ? table([t("reason"), t("rule"), t("found"), t("where"), t("mode")], rows) : "",
    answer.differs ? el("p", { class: "note warn" }, t("differs")) : "",
    el("p", { class: "dim" }, t("notKnown"), " ", answer.missing.join(", ")),
  );
}

function proposal(id, one, context) {
  const result = el("div", { "aria-live": "polite" });
  const button = el(
    "button",
    {
      type: "button",
      onclick: async () => {
        button.disabled = true;
        fill(result, el("p", { class: "dim" }, t("looking")));
        try {
          const told = await get(`proposals/${encodeURIComponent(id)}`);
          if (!told.ok) {
            fill(result, el("p", { class: "note warn" }, prose(told.text)));
            return;
          }
          fill(
            result,
            told.changes.length
              ? [
                  el("p", {}, t(told.sure ? "sure" : "unsure")),
                  el(
                    "pre",
                    {},
                    told.changes
                      .map((change) => change.shown)
                      .join("\n")
                      .trim(),
                  ),
                  el(
                    "button",
                    {
                      type: "button",
                      class: "main",
                      onclick: () =>
                        exceptionDialog(context, {
                          event: id,
                          site: one["stopgap.site"],
                          changes: told.changes,
                        }),
                    },
                    t("makeThis"),
                  ),
                ]
              : el("p", {}, t("passesByFile")),
          );
        } catch (error) {
          fill(result);
          context.failed(error);
        } finally {
          button.disabled = false;
        }
      },
    },
    t("propose"),
  );
  return el(
    "section",
    { class: "card" },
    el("h2", {}, t("shouldPass")),
    el("p", {}, t("shouldPassHint")),
    button,
    result,
  );
}
