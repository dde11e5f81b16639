// What does one rule or reason do, how often, in which mode on which site, and where does it not count?

import { get, Refused } from "./api.js";
import { chart } from "./chart.js";
import { exceptionDialog, modeDialog } from "./change.js";
import { el, fill, prose, table, tag } from "./dom.js";
import { number } from "./format.js";
import { live } from "./live.js";
import { stopped } from "./rules.js";
import { row } from "./series.js";
import { t, titled, told } from "./words.js";

const CAUGHT = ["refused", "dropped", "tarpitted", "stripped"];

export async function rule(place, context) {
  let one;
  try {
    one = await get(`rules/${encodeURIComponent(context.name)}`);
  } catch (error) {
    if (!(error instanceof Refused) || error.status !== 404) throw error;
    fill(place, el("section", { class: "card" }, el("p", {}, t("noRule", context.name))));
    return undefined;
  }
  const list = (texts) => el("pre", {}, texts.join("\n"));
  const facts = [
    [t("pack"), el("span", {}, one.pack, " ", el("span", { class: "dim" }, one.file))],
    [t("severity"), el("span", { class: `severity ${one.severity}` }, t(`severity.${one.severity}`))],
    [t("servers"), one.servers.join(" ") || t("all")],
    one.why ? [t("because"), one.why] : null,
    one.refs.length ? [t("refs"), one.refs.join(", ")] : null,
    one.legit ? [t("neededBy"), one.legit] : null,
    one.action === "block" ? null : [t("action"), `${one.action} ${one.strip.join(", ")}`],
    one.rate ? [t("rate"), one.rate] : null,
  ];
  const choosable = !one.labels.length;
  return shown(place, context, {
    kind: "rule",
    words: CAUGHT,
    name: one.id,
    title: titled(one),
    modes: one.modes,
    refused: stopped(one),
    detected: one.hits.detected ?? 0,
    facts,
    excepting: choosable,
    more: [
      el("section", { class: "card" }, el("h2", {}, t("match")), list(one.match)),
      el(
        "section",
        { class: "card" },
        el("h2", {}, t("vectors")),
        el("h3", {}, t("mustCatch")),
        list(one.block),
        el("h3", {}, t("mustPass")),
        list(one.pass),
      ),
    ],
  });
}

export async function reason(place, context) {
  const one = context.reason(context.name);
  if (!one) {
    fill(place, el("section", { class: "card" }, el("p", {}, t("noRule", context.name))));
    return undefined;
  }
  const facts = [
    [t("tier"), el("span", { class: one.tier }, t(`tier.${one.tier}`))],
    [t("status"), `${one.status}${one.iis ? ` (IIS ${one.iis})` : ""}`],
    [t("remedy"), el("span", {}, prose(one.remedy))],
  ];
  return shown(place, context, {
    kind: "reason",
    words: ["refused"],
    name: one.name,
    title: told(one),
    modes: one.modes,
    refused: one.refused,
    detected: one.detected,
    facts,
    excepting: one.tier === "ambiguous",
    more: [],
  });
}

async function shown(place, context, one) {
  const status = await get("status");
  context.status(status);
  const plot = el("div", { class: "plot" });
  const sites = Object.keys(one.modes);
  const exceptions = status.sites.flatMap((site) =>
    site.exceptions
      .filter((each) => each.rule === one.name)
      .map((each) => [
        site.name,
        each.path ?? t("anyPath"),
        each.clients.join(" ") || t("all"),
        each.reason,
        each.owner,
        each.until || t("never"),
        t(`state.${each.state}`),
        number(each.hits),
      ]),
  );
  const changing = (site) =>
    el(
      "button",
      { type: "button", onclick: () => modeDialog(context, { site, name: one.name, now: one.modes[site] }) },
      t("change"),
      el("span", { class: "unseen" }, ` ${site}`),
    );
  fill(
    place,
    el(
      "section",
      { class: "card" },
      el(
        "div",
        { class: "head" },
        el("h2", {}, el("code", {}, one.name)),
        el("a", { href: `#/events?q=${encodeURIComponent(`${one.kind}:${one.name}`)}` }, t("itsEvents")),
      ),
      el("p", { class: "lead" }, one.title),
      el(
        "dl",
        {},
        one.facts.filter(Boolean).map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]),
      ),
    ),
    el(
      "div",
      { class: "two" },
      el(
        "section",
        { class: "card" },
        el("h2", {}, t("hits")),
        el(
          "p",
          {},
          el("b", { class: "refused" }, number(one.refused)),
          ` ${t("refused")} · `,
          el("b", { class: "detected" }, number(one.detected)),
          ` ${t("detected")} `,
          el("span", { class: "dim" }, t("sinceStart")),
        ),
        plot,
      ),
      el(
        "section",
        { class: "card" },
        el("h2", {}, t("modes")),
        sites.length
          ? table(
              [t("site"), t("mode"), ""],
              sites.map((site) => [site, tag(one.modes[site], t(`mode.${one.modes[site]}`)), changing(site)]),
            )
          : el("p", { class: "dim" }, t("alwaysHint")),
      ),
    ),
    el(
      "section",
      { class: "card" },
      el(
        "div",
        { class: "head" },
        el("h2", {}, t("exceptions")),
        one.excepting && sites.length
          ? el(
              "button",
              { type: "button", onclick: () => exceptionDialog(context, { rule: one.name, sites }) },
              t("addException"),
            )
          : "",
      ),
      exceptions.length
        ? table(
            [
              t("site"),
              t("path"),
              t("clientsOnly"),
              t("why"),
              t("owner"),
              t("until"),
              t("state"),
              [t("hits"), "right"],
            ],
            exceptions,
          )
        : el("p", { class: "dim" }, t("noExceptions")),
    ),
    one.more,
  );
  const drawn = chart(
    plot,
    [
      { label: t("refused"), colour: "--refused" },
      { label: t("detected"), colour: "--detected" },
    ],
    { label: t("hits"), height: 130 },
  );
  const end = live(
    5,
    async () => {
      const told = await get("series/hour");
      const each = (words) => row(told, one.kind, words, one.name).map((count) => (count * 60) / told.step);
      drawn.set([told.times, each(one.words), each(["detected"])]);
    },
    context.failed,
  );
  return () => {
    end();
    drawn.destroy();
  };
}
