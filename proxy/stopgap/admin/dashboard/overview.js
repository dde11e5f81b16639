// How is the gate doing? Traffic and refusals over time, who and what, and the origins behind.

import { get } from "./api.js";
import { modeDialog } from "./change.js";
import { bars, chart } from "./chart.js";
import { add, el, fill, table, tag } from "./dom.js";
import { age, duration, number, rate } from "./format.js";
import { live } from "./live.js";
import { percentile, row, sum, totals } from "./series.js";
import { t } from "./words.js";

const CAUGHT = ["refused", "dropped", "tarpitted", "detected", "stripped"];
const HARD = ["refused", "detected"];
const LISTED = 8;
let span = "hour";

export function overview(place, context) {
  const tiles = el("div", { class: "tiles" });
  const alarm = el("div", { class: "notes", role: "status" });
  const traffic = el("div", { class: "plot" });
  const caught = el("div", { class: "plot" });
  const lists = el("div", { class: "four" });
  const origins = el("section", { class: "card" });
  const workers = el("section", { class: "card" });
  const choice = el(
    "div",
    { class: "switch", role: "group", "aria-label": t("span") },
    ["hour", "day"].map((one) =>
      el(
        "button",
        {
          type: "button",
          "aria-pressed": one === span,
          onclick: () => {
            span = one;
            context.again();
          },
        },
        t(one),
      ),
    ),
  );
  fill(
    place,
    alarm,
    tiles,
    el(
      "div",
      { class: "two" },
      el(
        "section",
        { class: "card" },
        el("div", { class: "head" }, el("h2", {}, t("traffic")), choice),
        traffic,
      ),
      el("section", { class: "card" }, el("div", { class: "head" }, el("h2", {}, t("refusals"))), caught),
    ),
    lists,
    el("div", { class: "two" }, origins, workers),
  );
  const passed = chart(traffic, [{ label: t("passed"), colour: "--pass" }], { label: t("traffic") });
  const refused = chart(
    caught,
    [
      { label: t("refused"), colour: "--refused" },
      { label: t("detected"), colour: "--detected" },
    ],
    { label: t("refusals") },
  );
  const end = live(
    span === "hour" ? 5 : 30,
    async () => {
      const [told, status] = await Promise.all([get(`series/${span}`), get("status")]);
      context.status(status);
      const times = told.times;
      passed.set([times, perSecond(told, ["passed"])]);
      refused.set([times, perMinute(told, ["refused"]), perMinute(told, ["detected"])]);
      fill(tiles, tilesOf(told, status));
      fill(alarm, notes(told, status));
      fill(lists, listsOf(told));
      fill(origins, el("h2", {}, t("origins")), originsOf(status, told));
      fill(workers, el("h2", {}, t("gate")), gate(status, context));
    },
    context.failed,
  );
  return () => {
    end();
    passed.destroy();
    refused.destroy();
  };
}

const perSecond = (told, words) => row(told, "requests", words).map((count) => count / told.step);
const perMinute = (told, words) => row(told, "requests", words).map((count) => (count * 60) / told.step);

function tilesOf(told, status) {
  const last = Math.max(1, Math.round(60 / told.step));
  const seen = Math.min(last, told.times.length) * told.step || 1;
  const lately = (words) => sum(row(told, "requests", words).slice(-last));
  const clients = told.open.at(-1) ?? 0;
  const tile = (name, value, note, kind = "") =>
    el("div", { class: `tile ${kind}` }, el("span", {}, name), el("b", {}, value), el("small", {}, note));
  return [
    tile(t("requestsNow"), rate(lately(["passed", "refused", "detected"]) / seen), t("perSecond")),
    tile(t("refused"), number(lately(["refused"])), t("lastMinute"), lately(["refused"]) ? "refused" : ""),
    tile(
      t("detected"),
      number(lately(["detected"])),
      t("lastMinute"),
      lately(["detected"]) ? "detected" : "",
    ),
    tile(
      t("answerTime"),
      duration(percentile(told, 0.5, last)),
      `p99 ≤ ${duration(percentile(told, 0.99, last))}`,
    ),
    tile(t("clients"), number(clients), t("connectionsOpen")),
    tile(t("inSpan"), number(sum(row(told, "requests", HARD))), t(told.span)),
    tile(t("uptime"), age(status.uptime_seconds), `${number(status.reloads)} ${t("reloads")}`),
  ];
}

function notes(told, status) {
  const found = [];
  const note = (kind, text, link) =>
    found.push(el("p", { class: `note ${kind}` }, text, link ? [" ", link] : ""));
  const answered = sum(row(told, "answered"));
  if (answered)
    note(
      "bad",
      t("exploitAnswered", number(answered)),
      el("a", { href: "#/events?q=action:exploit-answered" }, t("look")),
    );
  if (!status.ready) note("bad", t("notReady", status.state));
  if (!status.reload.ok) note("bad", `${t("reloadRefused")} ${status.reload.error}`);
  if (status.rolled_back) note("warn", t("rolledBack"), el("a", { href: "#/history" }, t("history")));
  const lost = sum(row(told, "events", ["dropped"]));
  if (lost) note("warn", t("eventsLost", number(lost)));
  for (const site of status.sites) {
    const down = site.origins.filter((origin) => !origin.up).length;
    if (down === site.origins.length) note("bad", t("siteDown", site.name));
    else if (down) note("warn", t("originDown", site.name, number(down)));
    if (site.on_error === "forward") note("warn", t("onErrorForward", site.name));
    const over = site.exceptions.filter((one) => one.state === "expired" && !one.preset).length;
    if (over) note("warn", t("expired", site.name, number(over)));
  }
  return found;
}

function listsOf(told) {
  const card = (title, rows, tone) =>
    el("section", { class: "card" }, el("h2", {}, title), bars(rows, t("nothing"), tone));
  const linked = (key, rows) =>
    rows
      .slice(0, LISTED)
      .map(([name, count]) => [name, count, `#/events?q=${encodeURIComponent(`${key}:${name}`)}`]);
  const networks = Object.entries(told.networks)
    .map(([name, count]) => [name === "others" ? t("others") : name, count, name])
    .sort((one, other) => other[1] - one[1]);
  return [
    card(t("byRule"), linked("rule", totals(told, "rule", CAUGHT)), "refused"),
    card(t("byReason"), linked("reason", totals(told, "reason", HARD)), "refused"),
    card(
      t("byNetwork"),
      networks
        .slice(0, LISTED)
        .map(([name, count, net]) => [name, count, net === "others" ? "" : `#/events?q=client:${net}`]),
      "refused",
    ),
    card(t("bySite"), linked("site", totals(told, "requests", HARD)), "refused"),
  ];
}

function originsOf(status, told) {
  const failed = new Map(
    totals(
      told,
      "origin",
      told.columns.map(({ of }) => of[2]),
    ),
  );
  const rows = status.sites.flatMap((site) =>
    site.origins.map((origin) => [
      el("span", {}, el("i", { class: `dot ${origin.up ? "ok" : "bad"}` }), t(origin.up ? "up" : "down")),
      site.name,
      el("code", {}, origin.url),
      number(origin.busy),
      number(origin.idle + origin.pinned),
      number(failed.get(origin.url) ?? 0),
      el("span", { class: "dim" }, origin.error),
    ]),
  );
  return table(
    [
      t("state"),
      t("site"),
      t("origin"),
      [t("busy"), "right"],
      [t("idle"), "right"],
      [t("failures"), "right"],
      "",
    ],
    rows,
  );
}

function gate(status, context) {
  const rows = status.workers.map((worker) => [
    `${worker.index}`,
    el("span", {}, el("i", { class: `dot ${worker.state === "serving" ? "ok" : "warn"}` }), worker.state),
    number(worker.clients),
    number(worker.waiting),
    number(worker.restarts),
    el("code", {}, worker.ruleset.slice(0, 8)),
  ]);
  const modes = status.sites.map((site) => [
    el("b", {}, site.name),
    " ",
    tag(site.mode, t(`mode.${site.mode}`)),
    site.canary && site.mode === "canary" ? ` ${site.canary} %` : "",
    " ",
    el("span", { class: "dim" }, `${site.server} · ${number(site.rules)} ${t("rules")}`),
    " ",
    el(
      "button",
      {
        type: "button",
        class: "small",
        onclick: () => modeDialog(context, { site: site.name, name: "", now: site.mode }),
      },
      t("change"),
      el("span", { class: "unseen" }, ` ${site.name}`),
    ),
  ]);
  return add(el("div"), [
    el(
      "ul",
      { class: "plain" },
      modes.map((one) => el("li", {}, one)),
    ),
    table(
      [
        t("worker"),
        t("state"),
        [t("clients"), "right"],
        [t("waiting"), "right"],
        [t("restarts"), "right"],
        t("ruleset"),
      ],
      rows,
    ),
  ]);
}
