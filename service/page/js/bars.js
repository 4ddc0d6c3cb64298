// The likeliest classes as bars.

import { h } from "./dom.js";
import { percent } from "./format.js";

export function bars(predictions) {
  return h(
    "ol",
    { class: "bars", "aria-label": "The likeliest classes" },
    predictions.map(({ label, probability }) =>
      h(
        "li",
        {},
        h("span", { class: "name" }, label),
        h(
          "span",
          { class: "track", "aria-hidden": "true" },
          h("span", { class: "fill", style: { "--share": probability } }),
        ),
        h("span", { class: "number" }, percent(probability)),
      ),
    ),
  );
}
