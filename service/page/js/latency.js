// Where the time went.

import { h } from "./dom.js";
import { ms } from "./format.js";

const PARTS = [
  ["decode_ms", "decode", "from bytes to the model's input"],
  ["queue_ms", "queue", "waiting for a worker"],
  ["compute_ms", "compute", "the network"],
  ["encode_ms", "encode", "from the network's answer to the picture's size"],
];

/** Return a stacked bar of the server's milliseconds, with the numbers below it. */
export function latency(timing, tookMs) {
  const parts = PARTS.filter(([key]) => key in timing).map(([key, name, title]) => ({
    name,
    title,
    value: timing[key],
  }));
  const rest = timing.total_ms - parts.reduce((sum, { value }) => sum + value, 0);
  if (rest > 0.05)
    parts.push({ name: "other", title: "everything else on the server", value: rest });
  const pieces = parts.map(({ name, value }) =>
    h("span", { class: `piece ${name}`, style: { "--share": value / timing.total_ms } }),
  );
  const numbers = parts.map(({ name, title, value }) =>
    h("div", { class: name, title }, h("dt", {}, name), h("dd", {}, ms(value))),
  );
  return h(
    "section",
    { class: "latency", "aria-label": "Time" },
    h("div", { class: "stacked", "aria-hidden": "true" }, pieces),
    h(
      "dl",
      {},
      numbers,
      h("div", { class: "total" }, h("dt", {}, "server"), h("dd", {}, ms(timing.total_ms))),
      h(
        "div",
        { class: "total", title: "from here to there and back" },
        h("dt", {}, "round trip"),
        h("dd", {}, ms(tookMs)),
      ),
    ),
  );
}
