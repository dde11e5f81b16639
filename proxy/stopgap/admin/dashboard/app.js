// Which view is shown, in which language, and what do all views share?

import { forgetToken, get, hasToken, keepToken, TokenWanted } from "./api.js";
import { el, fill } from "./dom.js";
import { event } from "./event.js";
import { events } from "./events.js";
import { changes } from "./history.js";
import { overview } from "./overview.js";
import { rule, reason } from "./rule.js";
import { rules } from "./rules.js";
import { LANGUAGES, language, speak, t } from "./words.js";

const VIEWS = { overview, events, event, rules, rule, reason, history: changes };
const TABS = ["overview", "events", "rules", "history"];
const PARENT = { event: "events", rule: "rules", reason: "rules" };

const main = document.getElementById("main");
const bar = document.getElementById("top");
const pill = el("span", { class: "pill" });
const trouble = el("p", { class: "note bad", role: "alert", hidden: true });

let end = () => {};
let turn = 0;
let reasons = new Map();

const shared = {
  session: null,
  again: () => show(false),
  reason: (name) => reasons.get(name),
  /** Something was changed: what is known of rules is fetched anew, and the view under the dialog. */
  async changed() {
    await learn();
    await show(false);
  },
  status(told) {
    trouble.hidden = true;
    pill.className = `pill ${told.ready ? "ok" : "bad"}`;
    pill.textContent = [t(told.ready ? "ready" : "notServing"), ...told.listen].join(" · ");
    pill.title = `Stopgap ${told.version}, ${told.ruleset}`;
  },
  failed(error) {
    if (error instanceof TokenWanted) {
      askToken();
      return;
    }
    console.warn(error.message);
    trouble.hidden = false;
    trouble.textContent = `${t("noAnswer")} ${error.message}`;
  },
};

async function learn() {
  const [session, known] = await Promise.all([get("session"), get("rules")]);
  shared.session = session;
  reasons = new Map(known.reasons.map((one) => [one.name, one]));
}

async function show(focus = true) {
  const mine = (turn += 1);
  end();
  end = () => {};
  const [path, query] = (location.hash.slice(2) || "overview").split("?");
  const [view, name] = path.split("/");
  header(view);
  trouble.hidden = true;
  const place = el("div", { class: `view ${view}` });
  try {
    if (!shared.session) {
      await learn();
      shared.status(await get("status"));
    }
    if (mine !== turn) return;
    fill(main, trouble, place);
    const context = {
      ...shared,
      name: decodeURIComponent(name ?? ""),
      query: new URLSearchParams(query ?? ""),
    };
    const ended = await (VIEWS[view] ?? overview)(place, context);
    if (mine === turn) end = ended ?? (() => {});
    else ended?.();
    if (mine === turn && focus) {
      main.focus({ preventScroll: true });
      scrollTo(0, 0);
    }
  } catch (error) {
    if (mine !== turn) return;
    if (!(error instanceof TokenWanted)) fill(main, trouble, place);
    shared.failed(error);
  }
}

function header(view) {
  const now = PARENT[view] ?? view;
  document.documentElement.lang = language();
  document.title = `${t(TABS.includes(now) ? now : "overview")} · Stopgap`;
  document.getElementById("skip").textContent = t("skip");
  fill(
    bar,
    el("a", { class: "mark", href: "#/overview" }, "Stopgap"),
    el(
      "nav",
      { "aria-label": t("views") },
      TABS.map((tab) =>
        el("a", { href: `#/${tab}`, "aria-current": tab === now ? "page" : undefined }, t(tab)),
      ),
    ),
    pill,
    el(
      "div",
      { class: "switch", role: "group", "aria-label": "Language / 言語" },
      Object.entries(LANGUAGES).map(([code, called]) =>
        el(
          "button",
          {
            type: "button",
            lang: code,
            "aria-pressed": code === language(),
            onclick: () => {
              speak(code);
              show(false).then(() => bar.querySelector(`[lang=${code}]`)?.focus());
            },
          },
          called,
        ),
      ),
    ),
    hasToken()
      ? el(
          "button",
          {
            type: "button",
            onclick: () => {
              forgetToken();
              location.reload();
            },
          },
          t("signOut"),
        )
      : "",
  );
}

function askToken() {
  end();
  end = () => {};
  turn += 1;
  const wrong = hasToken();
  forgetToken();
  const input = el("input", {
    type: "password",
    name: "token",
    required: true,
    autocomplete: "off",
    "aria-describedby": "token-hint",
  });
  fill(
    main,
    el(
      "form",
      {
        class: "card token",
        onsubmit: (given) => {
          given.preventDefault();
          keepToken(input.value.trim());
          show();
        },
      },
      el("h2", {}, t("tokenWanted")),
      el("p", { class: "dim", id: "token-hint" }, t("tokenHint")),
      wrong ? el("p", { class: "note bad", role: "alert" }, t("tokenWrong")) : "",
      el("label", { class: "field" }, el("span", {}, t("token")), input),
      el("button", { class: "main" }, t("enter")),
    ),
  );
  input.focus();
}

// A link to what is shown already moves nothing; the skip link must not change the view.
document.getElementById("skip").addEventListener("click", (click) => {
  click.preventDefault();
  main.focus();
});
addEventListener("hashchange", () => show());
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => show(false));
show(false);
