// The strip of layers: a list to walk with the arrow keys.

import { choose, h, walkable } from "./dom.js";
import { percent, short, volume } from "./format.js";
import { track } from "./parts.js";

export class LayerList {
  #filter = h("input", {
    type: "search",
    placeholder: "Filter by name or operation",
    "aria-label": "Filter layers",
  });
  #list = h("div", { class: "strip", role: "listbox", "aria-label": "Layers" });
  #none = h("p", { class: "muted", hidden: true }, "No layer has that in its name.");
  #url = null;

  element = h("div", { class: "stack tight" }, this.#filter, this.#list, this.#none);

  constructor(pick) {
    walkable(this.#list, { pick: (option) => pick(option.dataset.name) });
    this.#filter.addEventListener("input", () => this.#sift());
  }

  show({ layers, sample_rate_hz }) {
    this.#list.replaceChildren(...layers.map((layer, i) => row(layer, i, sample_rate_hz)));
    this.#sift();
  }

  choose(name) {
    const option = [...this.#list.children].find((one) => one.dataset.name === name);
    const moved = option?.getAttribute("aria-selected") !== "true";
    choose(this.#list, option);
    // within the list only: the page itself stays where it is
    if (moved && option)
      this.#list.scrollTop = Math.min(
        Math.max(
          this.#list.scrollTop,
          option.offsetTop + option.offsetHeight - this.#list.clientHeight,
        ),
        option.offsetTop,
      );
  }

  /** Put the tiles of a strip, 64 by 64 pixels each, before the names. */
  illustrate(strip) {
    if (this.#url) URL.revokeObjectURL(this.#url);
    this.#url = strip && URL.createObjectURL(strip);
    this.#list.style.setProperty("--strip", this.#url ? `url("${this.#url}")` : "none");
  }

  #sift() {
    const wanted = this.#filter.value.trim().toLowerCase();
    let left = 0;
    for (const option of this.#list.children) {
      option.hidden = !option.dataset.text.includes(wanted);
      left += option.hidden ? 0 : 1;
    }
    this.#none.hidden = left > 0;
  }
}

function row(layer, i, rate) {
  const { name, op, shape, parameters, macs_share: share } = layer;
  const path = name.split("/")[0];
  const cost = parameters ? ` · ${short(parameters)} params` : "";
  return h(
    "div",
    {
      role: "option",
      class: "layer-row",
      tabindex: -1,
      "data-name": name,
      "data-text": `${name} ${op}`.toLowerCase(),
      title: name,
    },
    h("span", { class: "thumb", style: { "--row": i } }),
    h(
      "span",
      { class: "words" },
      h("span", { class: "path" }, path),
      h("span", { class: "facts" }, `${op.replace("Normalization", "Norm")} · ${volume(shape)}`),
      h("span", { class: "facts" }, `${sees(layer, rate)}${cost}`),
    ),
    h(
      "span",
      { class: "cost", title: "share of all multiply-adds" },
      share ? [percent(share), track(share)] : "",
    ),
  );
}

/** Return how much of the input one cell sees. */
export function sees({ receptive_field: field, sees: share }, rate) {
  if (!field || share >= 1) return "sees all";
  if (!rate) return `sees ${field[0]}×${field[1]} px`;
  const time_ms = (field[1] / rate) * 1000;
  return time_ms < 1
    ? `sees ${field[1]} ${field[1] === 1 ? "sample" : "samples"}`
    : `sees ${Math.round(time_ms)} ms`;
}
