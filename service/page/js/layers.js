// The layers: a strip to walk, and what the chosen one makes of the file at hand.

import { h } from "./dom.js";
import { count, short } from "./format.js";
import { LayerList } from "./layerlist.js";
import { Maps } from "./maps.js";
import { takes } from "./models.js";
import { ask } from "./server.js";
import { layersOf } from "./table.js";

export const layersView = {
  name: "layers",
  title: "Layers",
  hint: "Every layer, what it costs and what it makes of the file",
  open: (body, store, stage) => new Layers(body, store, stage),
};

class Layers {
  #store;
  #list;
  #maps;
  #totals = h("p", { class: "muted totals" });
  #shown = "";

  constructor(body, store, stage) {
    this.#store = store;
    this.#list = new LayerList((layer) => store.set({ layer, channel: null, cell: null }));
    this.#maps = new Maps(store, stage);
    body.replaceChildren(
      h(
        "div",
        { class: "layers" },
        h("div", { class: "walk" }, this.#list.element, this.#totals),
        this.#maps.element,
      ),
    );
  }

  async refresh(signal, changed) {
    const { ready, version, given, start } = this.#store.all;
    const table = await layersOf(ready, version, signal);
    signal.throwIfAborted();
    const fits = given && takes(ready) === given.kind;
    const shown = [ready.name, ready.version, fits ? given.id : "", start].join();
    const layer = this.#layer(table);
    if (shown !== this.#shown) {
      this.#shown = shown;
      this.#list.show(table);
      this.#totals.textContent = `${count(table.layers.length)} layers, ${short(table.totals.parameters)} parameters, ${short(table.totals.macs)} multiply-adds`;
      if (fits) this.#thumbnails(shown);
    }
    this.#list.choose(layer.name);
    await this.#maps.refresh(layer, table, fits, signal, changed);
  }

  /** Return the chosen layer, or the first that has weights. */
  #layer({ layers }) {
    const wanted = this.#store.get("layer");
    const named = layers.find(({ name, module }) => name === wanted || module === wanted);
    return named ?? layers.find(({ op }) => op.includes("Conv")) ?? layers[0];
  }

  /** Pictures for the strip; they come when they come, and the strip is of use without them. */
  async #thumbnails(shown) {
    const { ready, version, given, start } = this.#store.all;
    const question = {
      path: `v1/models/${ready.name}/feature-maps`,
      body: given.blob,
      accept: "image/png",
      parameters: { layer: "*", render: "strip", start_s: start, version },
    };
    try {
      const strip = await (await ask(question)).blob();
      if (this.#shown === shown) this.#list.illustrate(strip);
    } catch {
      this.#list.illustrate(null);
    }
  }
}
