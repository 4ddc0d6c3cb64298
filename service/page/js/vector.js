// A layer that is one row of numbers: a bar for each.

import { h, svg } from "./dom.js";
import { figure } from "./format.js";
import { rangeOf } from "./colors.js";

const [WIDTH, HEIGHT] = [800, 180];
const NAMED = 10;

/** Return a bar chart; where there is a number a class, the largest are named. */
export function vector(values, labels) {
  const { low, high } = rangeOf(values);
  const [bottom, top] = [Math.min(low, 0), Math.max(high, 0)];
  const y = (value) => HEIGHT * (1 - (value - bottom) / (top - bottom || 1));
  const step = WIDTH / values.length;
  const bars = [...values].map((value, i) =>
    svg("rect", {
      x: i * step,
      width: Math.max(step * 0.82, 0.4),
      y: Math.min(y(value), y(0)),
      height: Math.max(Math.abs(y(value) - y(0)), 0.5),
      class: value < 0 ? "below" : "above",
    }),
  );
  const chart = svg(
    "svg",
    {
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
      preserveAspectRatio: "none",
      class: "chart",
      role: "img",
      "aria-label": `${values.length} values from ${figure(low)} to ${figure(high)}`,
    },
    bars,
  );
  const name = (i) => (values.length === labels.length ? labels[i] : `unit ${i}`);
  const largest = [...values.keys()]
    .sort((one, other) => values[other] - values[one])
    .slice(0, NAMED);
  return h(
    "div",
    { class: "stack tight" },
    h("p", { class: "muted" }, `${values.length} values, ${figure(low)} to ${figure(high)}`),
    chart,
    h(
      "ol",
      { class: "largest", "aria-label": "The largest" },
      largest.map((i) => h("li", {}, name(i), " ", h("strong", {}, figure(values[i])))),
    ),
  );
}
