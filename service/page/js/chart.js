// Lines over an axis, from 0 to 1.

import { h, svg } from "./dom.js";
import { figure } from "./format.js";

const [WIDTH, HEIGHT] = [360, 190];
const [LEFT, RIGHT, TOP, BOTTOM] = [34, 8, 8, 24];

/** Return a chart of series {name, points: [{x, y, marked, title}]} with y in 0..1. */
export function lines(series, label) {
  const xs = series.flatMap(({ points }) => points.map(({ x }) => x));
  const [first, last] = [Math.min(...xs), Math.max(...xs)];
  const x = (value) => LEFT + ((value - first) / (last - first || 1)) * (WIDTH - LEFT - RIGHT);
  const y = (value) => TOP + (1 - value) * (HEIGHT - TOP - BOTTOM);
  const grid = [0, 0.5, 1].flatMap((value) => [
    svg("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: y(value), y2: y(value), class: "grid" }),
    svg("text", { x: LEFT - 5, y: y(value) + 4, class: "tick end" }, `${value * 100}%`),
  ]);
  const ticks = [first, (first + last) / 2, last].map((value, i) =>
    svg(
      "text",
      { x: x(value), y: HEIGHT - 6, class: `tick ${["", "middle", "end"][i]}` },
      figure(Math.round(value * 100) / 100),
    ),
  );
  const drawn = series.map(({ points }, i) =>
    svg(
      "g",
      { class: `series s${i % 4}` },
      svg("polyline", { points: points.map((point) => `${x(point.x)},${y(point.y)}`).join(" ") }),
      points.map((point) => mark(point, x(point.x), y(point.y))),
    ),
  );
  const legend = h(
    "ul",
    { class: "keys" },
    series.map(({ name }, i) => h("li", { class: `s${i % 4}` }, name)),
  );
  return h(
    "div",
    { class: "stack tight" },
    svg(
      "svg",
      { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "lines", role: "img", "aria-label": label },
      grid,
      ticks,
      drawn,
    ),
    legend,
  );
}

function mark({ marked, title }, cx, cy) {
  const shape = { cx, cy, r: marked ? 3.4 : 2.4, class: marked ? "marked" : "" };
  return svg("circle", shape, svg("title", {}, title));
}
