// How is something put on the page? Always as text: nothing here, or anywhere else, reads markup from data.

const PROPERTIES = new Set(["value", "checked", "disabled", "hidden", "open", "selected", "required"]);

/** An element. `given` are attributes, properties and `on...` listeners; children are nodes or texts. */
export function el(name, given = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(given)) {
    if (value === undefined || value === null || (value === false && !key.startsWith("aria-"))) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (PROPERTIES.has(key)) node[key] = value;
    else node.setAttribute(key, value === true && !key.startsWith("aria-") ? "" : String(value));
  }
  add(node, children);
  return node;
}

/** Put children into a node; lists are taken apart, and what is nothing is left out. */
export function add(node, children) {
  for (const child of children.flat(Infinity)) {
    if (child === undefined || child === null || child === false) continue;
    node.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return node;
}

/** Replace all that a node holds. What had the focus gets it again: the same link, or what is there now. */
export function fill(node, ...children) {
  const focused = node.contains(document.activeElement) && document.activeElement;
  const controls = () => [...node.querySelectorAll("a[href], button, input, select, [tabindex]")];
  const place = focused ? controls().indexOf(focused) : -1;
  node.replaceChildren();
  add(node, children);
  if (place >= 0) {
    const now = controls();
    (now.find((one) => one.href && one.href === focused.href) ?? now[Math.min(place, now.length - 1)])?.focus(
      { preventScroll: true },
    );
  }
  return node;
}

/** A text where `code` in backquotes is shown as such. */
export function prose(text) {
  return text.split("`").map((part, place) => (place % 2 ? el("code", {}, part) : part));
}

/** A table; `columns` are heads, or [head, class]. `rows` are lists of cells. */
export function table(columns, rows, given = {}) {
  const kinds = columns.map((column) => (Array.isArray(column) ? column : [column, ""]));
  const head = el(
    "tr",
    {},
    kinds.map(([text, kind]) => el("th", { class: kind, scope: "col" }, text)),
  );
  const body = rows.map((row) =>
    el(
      "tr",
      {},
      row.map((cell, at) => el("td", { class: kinds[at][1] }, cell)),
    ),
  );
  return el("div", { class: "scroll" }, el("table", given, el("thead", {}, head), el("tbody", {}, body)));
}

/** A small coloured word. */
export const tag = (kind, text) => el("span", { class: `tag ${kind}` }, text);
