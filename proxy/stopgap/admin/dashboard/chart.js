// How are counts over time drawn? By uPlot, in the colours of the page.

/* global uPlot */
import { el } from "./dom.js";
import { number, rate, short } from "./format.js";
import { t } from "./words.js";

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** A chart for [times, ...rows]; `lines` are {label, colour}. It fills the width of `place`. */
export function chart(place, lines, { height = 170, label = "", show = rate } = {}) {
  const ink = colour("--dim");
  const grid = { stroke: colour("--line"), width: 1 };
  const font = "11px system-ui, sans-serif";
  const series = lines.map((line) => ({
    label: line.label,
    stroke: colour(line.colour),
    fill: `${colour(line.colour)}26`,
    width: 1.5,
    points: { show: false },
    value: (_, value) => (value === null || value === undefined ? "–" : show(value)),
  }));
  const options = {
    width: Math.max(place.clientWidth, 200),
    height,
    legend: { live: true },
    cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false } },
    scales: { y: { range: (_, low, high) => [0, high > 0 ? high * 1.15 : 1] } },
    axes: [
      {
        stroke: ink,
        grid: { show: false },
        ticks: grid,
        font,
        space: 70,
        size: 28,
        values: (_, times) => times.map((time) => hour(time, times[1] - times[0] < 60)),
      },
      {
        stroke: ink,
        grid,
        ticks: { show: false },
        font,
        size: 46,
        values: (_, values) => values.map(short),
      },
    ],
    series: [{ label: t("time"), value: (_, time) => (time ? hour(time, true) : "–") }, ...series],
  };
  const drawn = new uPlot(options, lines.map(() => []).concat([[]]), place);
  drawn.root.setAttribute("role", "img");
  drawn.root.setAttribute("aria-label", label);
  const watch = new ResizeObserver(() => drawn.setSize({ width: Math.max(place.clientWidth, 200), height }));
  watch.observe(place);
  return {
    set: (data) => drawn.setData(data),
    destroy: () => {
      watch.disconnect();
      drawn.destroy();
    },
  };
}

function hour(time, seconds = false) {
  const at = new Date(time * 1000);
  const parts = [at.getHours(), at.getMinutes(), ...(seconds ? [at.getSeconds()] : [])];
  return parts.map((part) => String(part).padStart(2, "0")).join(":");
}

/** Bars for [name, count, link]; the longest fills the width. */
export function bars(rows, empty, tone = "") {
  if (!rows.length) return el("p", { class: "dim" }, empty);
  const most = Math.max(...rows.map(([, count]) => count));
  return el(
    "ul",
    { class: `bars ${tone}` },
    rows.map(([name, count, link]) => {
      const bar = el("span", { class: "bar" });
      bar.style.setProperty("--share", `${(100 * count) / most}%`);
      const label = link ? el("a", { href: link, title: name }, name) : el("span", { title: name }, name);
      return el("li", {}, bar, label, el("b", {}, number(count)));
    }),
  );
}
