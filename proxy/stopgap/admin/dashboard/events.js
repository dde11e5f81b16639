// What is being refused now, and what was before? All events that the gate remembers, newest first.

import { el, fill } from "./dom.js";
import { filter, KEYS, toggled } from "./filter.js";
import { clock, number } from "./format.js";
import { list } from "./list.js";
import { live } from "./live.js";
import {
  ACTION,
  CLIENT,
  COUNT,
  HOST,
  ID,
  METHOD,
  MODE,
  newer,
  older,
  REASON,
  RULE,
  SITE,
  store,
  TARGET,
  TIME,
} from "./store.js";
import { t } from "./words.js";

const HEIGHT = 30;
const PAUSE = 30;
const ACTIONS = ["refused", "detected", "exploit-answered", "dropped", "tarpitted", "stripped"];

export function events(place, context) {
  let wanted = context.query.get("q") ?? "";
  let wants = filter(wanted);
  let found = [];
  let following = true;
  let over = false;
  let loading = false;
  let typing = 0;

  const input = el("input", {
    type: "search",
    id: "filter",
    value: wanted,
    spellcheck: "false",
    autocomplete: "off",
    placeholder: t("filterExample"),
    "aria-label": t("filter"),
    oninput: () => {
      clearTimeout(typing);
      typing = setTimeout(() => choose(input.value), 120);
    },
  });
  const chips = el("div", { class: "chips", role: "group", "aria-label": t("quickFilters") });
  const count = el("output", { class: "dim", "aria-live": "off" });
  const pause = el(
    "button",
    {
      type: "button",
      "aria-pressed": "false",
      onclick: () => {
        following = !following;
        pause.setAttribute("aria-pressed", String(!following));
        pause.textContent = t(following ? "pause" : "resume");
      },
    },
    t("pause"),
  );
  const heads = el(
    "div",
    { class: "row heads", "aria-hidden": "true" },
    ["time", "action", "client", "request", "why", "site"].map((key) => el("span", {}, t(key))),
  );
  const body = el("div", { class: "fit" });
  fill(
    place,
    el(
      "section",
      { class: "card events" },
      el("div", { class: "bar-line" }, input, pause, count),
      el(
        "p",
        { class: "dim hint" },
        t("filterHint"),
        " ",
        el("code", {}, KEYS.map((key) => `${key}:`).join(" ")),
      ),
      chips,
      heads,
      body,
    ),
  );

  const shown = list(body, {
    label: t("events"),
    height: HEIGHT,
    count: () => found.length,
    make: () =>
      el(
        "div",
        { class: "row" },
        [1, 2, 3, 4, 5, 6].map(() => el("span")),
      ),
    draw: (node, at) => draw(node, store.rows[found[found.length - 1 - at] - store.begin]),
    open: (at) => {
      location.hash = `#/event/${store.rows[found[found.length - 1 - at] - store.begin][ID]}`;
    },
  });

  /** The numbers of the rows in these places that are wanted. */
  function wantedOf(from, to) {
    const some = [];
    for (let at = from; at < to; at += 1) if (wants(store.rows[at])) some.push(store.begin + at);
    return some;
  }

  function scan() {
    found = wantedOf(0, store.rows.length);
    counted();
    fill(
      chips,
      ACTIONS.map((one) => `action:${one}`).map((word) =>
        el(
          "button",
          {
            type: "button",
            class: "chip",
            "aria-pressed": wanted.split(/\s+/).includes(word),
            onclick: () => {
              input.value = toggled(wanted, word);
              choose(input.value, word);
            },
          },
          t(word.replace(":", ".")),
        ),
      ),
    );
  }

  function counted() {
    count.textContent = `${number(found.length)} / ${number(store.rows.length)}${store.complete ? "" : " …"}`;
  }

  function choose(text, chip) {
    wanted = text;
    wants = filter(wanted);
    history.replaceState(null, "", wanted ? `#/events?q=${encodeURIComponent(wanted)}` : "#/events");
    scan();
    shown.reset();
    if (chip) chips.children[ACTIONS.indexOf(chip.slice(7))].focus();
  }

  async function past() {
    if (loading) return;
    loading = true;
    try {
      while (!over && !store.complete) {
        const came = await older();
        if (over) return;
        found = wantedOf(0, came).concat(found);
        counted();
        shown.redraw();
        await new Promise((done) => {
          setTimeout(done, PAUSE);
        });
      }
    } finally {
      loading = false;
    }
  }

  async function latest() {
    if (!following && store.next !== null) return;
    const { came, anew } = await newer();
    if (anew) {
      scan();
      shown.reset();
    } else if (came) {
      if (found[0] < store.begin) found = found.filter((one) => one >= store.begin);
      const added = wantedOf(Math.max(0, store.rows.length - came), store.rows.length);
      found = found.concat(added);
      counted();
      if (added.length) shown.pushed(added.length);
    }
    past().catch(context.failed);
  }

  const end = live(2, latest, context.failed);

  scan();
  shown.redraw();
  return () => {
    over = true;
    end();
    shown.end();
  };
}

function draw(node, row) {
  const [time, action, client, request, why, site] = node.children;
  time.textContent = clock(row[TIME]);
  action.textContent = t(`action.${row[ACTION]}`);
  action.className = `tag ${row[ACTION]}`;
  client.textContent = row[CLIENT];
  request.textContent = `${row[METHOD]} ${row[TARGET]}`.trim() || "–";
  request.title = `${row[HOST]} ${row[TARGET]}`;
  why.textContent = (row[RULE] || row[REASON]) + (row[COUNT] ? ` × ${number(row[COUNT])}` : "");
  why.title = row[REASON];
  site.textContent = row[MODE] === "block" ? row[SITE] : `${row[SITE]} · ${t(`mode.${row[MODE]}`)}`;
}
