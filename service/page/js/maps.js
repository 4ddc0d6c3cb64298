// What the chosen layer makes of the file at hand: its facts, its channels, and one cell.

import { actions, fileName } from "./actions.js";
import { MAPS } from "./colors.js";
import { h } from "./dom.js";
import { percent, short, volume } from "./format.js";
import { sees } from "./layerlist.js";
import { Loupe } from "./loupe.js";
import { readNpy } from "./npy.js";
import { chooser, facts } from "./parts.js";
import { recall } from "./server.js";
import { Tiles } from "./tiles.js";
import { vector } from "./vector.js";

// More of a layer than this is not fetched at once.
const LARGEST_BYTES = 16e6;

export class Maps {
  #store;
  #look = { scale: "shared", map: "auto", order: "number", size: 72 };
  #facts = h("div", { class: "about-layer" });
  #note = h("p", { class: "muted" });
  #tools;
  #tiles;
  #loupe;
  #one = h("div", { class: "vector" });
  #end = h("div");
  #rest = h("div", { class: "stack" });
  #shown = "";

  element = h("div", { class: "detail stack" });

  constructor(store, stage) {
    this.#store = store;
    this.#tools = tools(this.#look, () => this.#tiles.draw(this.#look));
    this.#tiles = new Tiles((channel, cell) => store.set({ channel, ...(cell ? { cell } : {}) }));
    this.#loupe = new Loupe(store, stage);
    this.#rest.append(
      this.#loupe.element,
      this.#tools,
      this.#tiles.element,
      this.#one,
      this.#note,
      this.#end,
    );
    this.element.append(this.#facts, this.#rest);
  }

  async refresh(layer, table, fits, signal, changed) {
    this.#facts.replaceChildren(factsOf(layer, table));
    this.#rest.hidden = !fits;
    if (!fits)
      return this.#facts.append(
        h(
          "p",
          { class: "muted" },
          "Give it a file, or take a sample, to see what this layer makes of it.",
        ),
      );
    const { given, ready, version, start } = this.#store.all;
    const shown = [ready.name, ready.version, given.id, layer.name, start].join();
    if (shown !== this.#shown) {
      const map = await fetchMap(layer, this.#store.all, signal);
      signal.throwIfAborted();
      this.#shown = shown;
      this.#show(map, layer, table);
      this.#end.replaceChildren(takeaways(layer, this.#store.all, this.#look));
    } else if (changed.has("view")) {
      this.#tiles.draw(this.#look);
    }
    if (this.#tiles.map) await this.#loupe.refresh(this.#tiles, layer, this.#look, signal);
  }

  #show(map, layer, table) {
    const flat = map.shape.length === 1;
    for (const part of [this.#tools, this.#tiles.element, this.#loupe.element]) part.hidden = flat;
    this.#one.hidden = !flat;
    const left = layer.shape[0] - map.shape[0];
    const some = `The first ${map.shape[0]} of ${layer.shape[0]} channels`;
    this.#note.textContent = left > 0 ? `${some}; the command below can ask for others.` : "";
    if (flat) {
      this.#tiles.map = null;
      this.#one.replaceChildren(vector(map.values, this.#store.get("ready").labels));
    } else {
      this.#tiles.map = { ...map, flip: Boolean(table.sample_rate_hz) && map.shape.length === 3 };
      this.#tiles.draw(this.#look);
    }
  }
}

async function fetchMap({ name, shape }, { given, ready, version, start }, signal) {
  const one = 4 * shape.slice(1).reduce((product, size) => product * size, 1);
  const most = Math.max(1, Math.floor(LARGEST_BYTES / one));
  const channels = shape.length > 1 && shape[0] > most ? `0-${most - 1}` : null;
  const question = {
    path: `v1/models/${ready.name}/feature-maps`,
    accept: "application/x-npy",
    body: given.blob,
    file: given.id,
    parameters: { layer: name, channels, start_s: start, version },
  };
  return readNpy((await recall(question, "arrayBuffer", signal)).data);
}

function factsOf(layer, { sample_rate_hz: rate }) {
  const { name, op, shape, kernel, parameters, macs, macs_share: cost, sees: share } = layer;
  const part = share && share < 1 ? ` (${percent(share)} of the input)` : "";
  return h(
    "div",
    {},
    h("h3", { class: "mono" }, name, h("span", { class: "op" }, op)),
    facts([
      ["volume", volume(shape)],
      kernel && ["window", windowOf(layer)],
      ["one cell", sees(layer, rate) + part],
      parameters && ["parameters", short(parameters)],
      macs && ["multiply-adds", short(macs) + (cost ? ` (${percent(cost)})` : "")],
    ]),
  );
}

function windowOf({ kernel, stride, padding, dilation, groups }) {
  const size = (sides) => sides.join(" × ");
  const words = [
    size(kernel),
    `stride ${size(stride ?? [1])}`,
    padding?.some(Boolean) && `padding ${[...new Set(padding)].join(", ")}`,
    dilation?.some((one) => one > 1) && `dilation ${size(dilation)}`,
    groups > 1 && `${groups} groups`,
  ];
  return words.filter(Boolean).join(", ");
}

function tools(look, redraw) {
  const pick = (name, label, options) =>
    chooser(label, options, look[name], (value) => {
      look[name] = value;
      redraw();
    });
  const size = h("input", { type: "range", min: 40, max: 320, step: 8, value: look.size });
  size.addEventListener("input", () => {
    look.size = Number(size.value);
    redraw();
  });
  const scales = [
    ["shared", "one for all"],
    ["channel", "each its own"],
  ];
  const orders = [
    ["number", "by number"],
    ["strength", "strongest first"],
  ];
  const colors = MAPS.map((name) => [name, name]);
  return h(
    "div",
    { class: "tools" },
    pick("scale", "Scale", scales),
    pick("map", "Colours", colors),
    pick("order", "Order", orders),
    h("label", {}, "Zoom", size),
  );
}

function takeaways({ name }, { given, ready, version, start }, look) {
  const path = `v1/models/${ready.name}/feature-maps`;
  const plain = { layer: name, start_s: start, version };
  // as the tools stand when the button is pressed
  const question = {
    path,
    body: given.blob,
    accept: "image/png",
    get parameters() {
      const scale = look.scale === "shared" ? null : look.scale;
      return { ...plain, scale, colormap: look.map === "auto" ? null : look.map };
    },
  };
  const file = (end) => fileName([given.name.replace(/\.\w+$/, ""), ready.name, name], end);
  return actions({ ...question, parameters: plain, accept: "*/*" }, given, [
    { label: "Save PNG", name: file("png"), question },
    {
      label: "Save npy",
      name: file("npy"),
      question: { path, body: given.blob, parameters: plain, accept: "application/x-npy" },
    },
    {
      label: "Save JSON",
      name: file("json"),
      question: { path, body: given.blob, parameters: plain, accept: "application/json" },
    },
  ]);
}
