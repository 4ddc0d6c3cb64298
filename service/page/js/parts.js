// The parts that several views are made of.

import { h } from "./dom.js";

/** Return a bar that is filled to a share in 0..1; the number stands beside it as text. */
export function track(share, color) {
  const style = { "--share": share, ...(color ? { "--color": color } : {}) };
  return h("span", { class: "track", "aria-hidden": "true" }, h("span", { class: "fill", style }));
}

/** Return a labelled choice of [value, text]; pick is told the value, as text. */
export function chooser(label, options, chosen, pick) {
  const entries = options.map(([value, text]) =>
    h("option", { value, selected: String(value) === String(chosen) }, text),
  );
  const select = h("select", { on: { change: (event) => pick(event.target.value) } }, entries);
  return h("label", {}, label, select);
}

/** Return names with their values; entries that are not [name, value] are passed over. */
export function facts(entries) {
  const pairs = entries.filter(Array.isArray);
  return h(
    "dl",
    { class: "facts-row" },
    pairs.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, String(value)))),
  );
}

/** Return a part that scrolls by itself, and by keyboard. */
export function scroller(label, kind, child) {
  return h("div", { class: kind, tabindex: 0, role: "region", "aria-label": label }, child);
}

/** Return a table that scrolls by itself; rows are lists of cells, texts or elements. */
export function table(label, names, rows, kind = "scroll") {
  const head = names.map((name) => h("th", { scope: "col" }, name));
  const body = rows.map((cells) =>
    h(
      "tr",
      {},
      cells.map((cell) => h("td", {}, cell)),
    ),
  );
  const whole = h("table", {}, h("thead", {}, h("tr", {}, head)), h("tbody", {}, body));
  return scroller(label, kind, whole);
}

/** Return an image of a file that was answered. */
export function picture(blob, attributes) {
  const url = URL.createObjectURL(blob);
  return h("img", { src: url, ...attributes, on: { load: () => URL.revokeObjectURL(url) } });
}

/** Return a line of quiet words. */
export const quiet = (...words) => h("p", { class: "muted" }, ...words);
