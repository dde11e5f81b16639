// How does an operator change a mode or make an exception?
// Says why and whose it is, sees what changes, writes.

import { post, Refused } from "./api.js";
import { add, el, fill, prose } from "./dom.js";
import { command } from "./format.js";
import { t } from "./words.js";

const OWNER = "stopgap.owner";
const MODES = ["block", "canary", "detect"];

/** Put `name` (a rule, pack or reason; "" for the site itself) of a site into another mode. */
export function modeDialog(context, { site, name, now }) {
  const choice = el(
    "div",
    { class: "switch", role: "radiogroup", "aria-label": t("mode") },
    MODES.map((mode) =>
      el(
        "label",
        {},
        el("input", { type: "radio", name: "mode", value: mode, checked: mode === now }),
        t(`mode.${mode}`),
      ),
    ),
  );
  const mode = () => choice.querySelector("input:checked")?.value ?? "";
  dialog(context, {
    title: `${t("changeMode")}: ${name || t("wholeSite")} · ${site}`,
    fields: [
      choice,
      el(
        "ul",
        { class: "plain dim" },
        MODES.map((one) => el("li", {}, el("b", {}, t(`mode.${one}`)), ` ${t(`means.${one}`)}`)),
      ),
    ],
    path: "modes",
    body: (why) => ({ site, name, mode: mode(), reason: why.reason, owner: why.owner }),
    words: (why) => [
      "stopgap",
      "rules",
      "mode",
      mode(),
      ...(name ? [name] : []),
      "--config",
      context.session.file || "FILE",
      "--site",
      site,
      "--reason",
      why.reason,
      "--owner",
      why.owner,
    ],
  });
}

/** Make an exception: of what was proposed for an event, or to a rule on a path and for clients. */
export function exceptionDialog(context, { event, site, rule, sites, changes }) {
  const until = el("input", {
    type: "date",
    name: "until",
    required: true,
    value: context.session.until,
    min: context.session.today,
  });
  const path = el("input", { type: "text", name: "path", placeholder: "/search/*.idq", spellcheck: "false" });
  const clients = el("input", {
    type: "text",
    name: "clients",
    placeholder: "192.0.2.0/24, 198.51.100.7",
    spellcheck: "false",
  });
  const where = el(
    "select",
    { name: "site" },
    (sites ?? [site]).map((one) => el("option", { value: one }, one)),
  );
  const networks = () => clients.value.split(/[\s,]+/).filter(Boolean);
  const fields = event
    ? [
        el(
          "pre",
          {},
          changes
            .map((change) => change.shown)
            .join("\n")
            .trim(),
        ),
      ]
    : [
        labelled(t("site"), where),
        labelled(t("path"), path, t("pathHint")),
        labelled(t("clientsOnly"), clients, t("clientsHint")),
      ];
  const limits = event && changes.every((change) => change.table !== "exception");
  dialog(context, {
    title: event ? `${t("makeException")}: ${t("event")} ${event}` : `${t("makeException")}: ${rule}`,
    fields: [...fields, limits ? "" : labelled(t("until"), until, t("untilHint"))],
    path: "exceptions",
    body: (why) => ({
      reason: why.reason,
      owner: why.owner,
      until: until.value,
      ...(event ? { event } : { site: where.value, rule, path: path.value.trim(), clients: networks() }),
    }),
    words: (why) =>
      event
        ? [
            "stopgap",
            "explain",
            "--event",
            event,
            "--config",
            context.session.file || "FILE",
            "--except",
            "--write",
            "--reason",
            why.reason,
            "--owner",
            why.owner,
          ]
        : [
            "stopgap",
            "rules",
            "except",
            rule,
            "--config",
            context.session.file || "FILE",
            "--site",
            where.value,
            ...(path.value.trim() ? ["--path", path.value.trim()] : []),
            ...networks().flatMap((one) => ["--client", one]),
            "--until",
            until.value,
            "--reason",
            why.reason,
            "--owner",
            why.owner,
          ],
  });
}

const labelled = (text, input, hint) =>
  el(
    "label",
    { class: "field" },
    el("span", {}, text),
    input,
    hint ? el("small", { class: "dim" }, hint) : "",
  );

function dialog(context, { title, fields, path, body, words }) {
  const { session } = context;
  const before = document.activeElement;
  const reason = el("input", {
    type: "text",
    name: "reason",
    required: true,
    maxlength: "200",
    autocomplete: "off",
  });
  const owner = el("input", {
    type: "text",
    name: "owner",
    required: true,
    maxlength: "200",
    value: localStorage.getItem(OWNER) ?? "",
  });
  const why = () => ({ reason: reason.value.trim(), owner: owner.value.trim() });
  const said = el("div", { class: "said", "aria-live": "polite" });
  const write = el("button", { type: "submit", disabled: true }, t("write"));
  const show = el(
    "button",
    { type: "button", class: "main", onclick: () => form.reportValidity() && run(true) },
    t("preview"),
  );
  const close = el("button", { type: "button", onclick: () => box.close() }, t("cancel"));
  const able = session.near && !session.why;
  const line = el("pre", { class: "command" });
  const byHand = able
    ? ""
    : el(
        "div",
        { class: "note warn" },
        el("p", {}, session.near ? [t("cannotWrite"), " ", prose(session.why)] : t("far")),
        el("p", {}, t("byCommand")),
        line,
      );
  const form = el(
    "form",
    {
      method: "dialog",
      onsubmit: (event) => {
        event.preventDefault();
        run(false);
      },
      oninput: changed,
    },
    el("h2", {}, title),
    fields,
    labelled(t("why"), reason, t("whyHint")),
    labelled(t("owner"), owner, t("ownerHint")),
    byHand,
    said,
    el("div", { class: "buttons" }, close, able ? [show, write] : ""),
  );
  const box = el(
    "dialog",
    {
      onclose: () => {
        box.remove();
        if (before?.isConnected) before.focus();
      },
    },
    form,
  );

  function writable(can) {
    write.disabled = !can;
    write.className = can ? "main" : "";
    show.className = can ? "" : "main";
  }

  function changed() {
    writable(false);
    fill(said);
    line.textContent = `${command(words(why()))}\nstopgap reload`;
  }

  async function run(dry) {
    if (!form.reportValidity()) return;
    localStorage.setItem(OWNER, why().owner);
    show.disabled = true;
    writable(false);
    fill(said, el("p", { class: "dim" }, t(dry ? "looking" : "writing")));
    try {
      const told = await post(path, { ...body(why()), dry });
      fill(
        said,
        el(
          "p",
          { class: dry ? "dim" : "note ok" },
          dry ? t("wouldChange", session.file) : `${t("inForce")} ${told.text}`,
        ),
        difference(told.diff),
      );
      if (dry) writable(true);
      else {
        close.textContent = t("done");
        close.focus();
        context.changed();
      }
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      fill(said, el("p", { class: "note bad" }, prose(error.message)));
    } finally {
      show.disabled = false;
    }
  }

  changed();
  document.body.append(box);
  box.showModal();
}

/** The lines of a difference, coloured. */
export function difference(lines) {
  const kinds = { "+": "plus", "-": "minus", "@": "at" };
  return add(
    el("pre", { class: "diff" }),
    lines.map((line) =>
      el("span", { class: /^(\+\+\+|---)/.test(line) ? "at" : (kinds[line[0]] ?? "") }, `${line}\n`),
    ),
  );
}
