// How can a list of a hundred thousand rows be scrolled? Only the rows that are seen are on the page.

import { el } from "./dom.js";

const SPARE = 8;

/**
 * A list in `place`. `count()` says how many rows there are, `draw(node, index)` fills a row, `open(index)`
 * is called on Enter and click. Arrow keys, Page Up and Down, Home and End move the row that is chosen.
 */
export function list(place, { label, height, count, make, draw, open }) {
  const space = el("div", { class: "space" });
  const box = el("div", { class: "list", tabindex: "0", role: "listbox", "aria-label": label }, space);
  place.append(box);
  const pool = [];
  let chosen = -1;
  let waiting = false;

  const shown = () => Math.ceil(box.clientHeight / height);

  function redraw() {
    waiting = false;
    const all = count();
    space.style.setProperty("height", `${all * height}px`);
    const first = Math.max(0, Math.min(Math.floor(box.scrollTop / height) - SPARE, all - 1));
    const wanted = Math.max(0, Math.min(shown() + 2 * SPARE, all - first));
    while (pool.length < wanted) {
      const node = make();
      node.setAttribute("role", "option");
      node.addEventListener("click", () => open(Number(node.dataset.at)));
      pool.push(node);
      space.append(node);
    }
    pool.forEach((node, slot) => {
      const at = first + slot;
      node.hidden = slot >= wanted;
      if (node.hidden) return;
      node.dataset.at = at;
      node.id = `row-${slot}`;
      node.style.setProperty("transform", `translateY(${at * height}px)`);
      node.setAttribute("aria-posinset", at + 1);
      node.setAttribute("aria-setsize", all);
      node.setAttribute("aria-selected", at === chosen);
      if (at === chosen) box.setAttribute("aria-activedescendant", node.id);
      draw(node, at);
    });
  }

  function soon() {
    if (!waiting) {
      waiting = true;
      requestAnimationFrame(redraw);
    }
  }

  function choose(at) {
    chosen = Math.max(0, Math.min(at, count() - 1));
    const top = chosen * height;
    if (top < box.scrollTop) box.scrollTop = top;
    if (top + height > box.scrollTop + box.clientHeight) box.scrollTop = top + height - box.clientHeight;
    soon();
  }

  const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: 0, PageUp: 0, Home: 0, End: 0 };
  box.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && chosen >= 0) return open(chosen);
    if (!(event.key in moves)) return undefined;
    event.preventDefault();
    if (event.key === "Home") return choose(0);
    if (event.key === "End") return choose(count() - 1);
    const step = moves[event.key] || (shown() - 1) * (event.key === "PageDown" ? 1 : -1);
    return choose(chosen < 0 ? 0 : chosen + step);
  });
  box.addEventListener("focus", () => chosen < 0 && count() && choose(Math.floor(box.scrollTop / height)));
  box.addEventListener("scroll", soon, { passive: true });
  const watch = new ResizeObserver(soon);
  watch.observe(box);

  return {
    box,
    redraw: soon,
    /** So many rows were put before the first: what is seen stays where it is, unless that is the top. */
    pushed(rows) {
      if (chosen >= 0) chosen += rows;
      if (box.scrollTop > 0) {
        space.style.setProperty("height", `${count() * height}px`);
        box.scrollTop += rows * height;
      }
      soon();
    },
    reset() {
      chosen = -1;
      box.removeAttribute("aria-activedescendant");
      box.scrollTop = 0;
      soon();
    },
    end: () => watch.disconnect(),
  };
}
