// The likeliest classes as bars.

import { h } from "./dom.js";
import { percent } from "./format.js";
import { track } from "./parts.js";

export function bars(predictions) {
  return h(
    "ol",
    { class: "bars", "aria-label": "The likeliest classes" },
    predictions.map(({ label, probability }) =>
      h(
        "li",
        {},
        h("span", { class: "name" }, label),
        track(probability),
        h("span", { class: "number" }, percent(probability)),
      ),
    ),
  );
}
