// One channel enlarged, one cell of it, and what that cell sees.

import { announce, h } from "./dom.js";
import { figure, percent, seconds } from "./format.js";
import { recall } from "./server.js";

const CROP_PX = 168;
const STRONGEST = 4;

export class Loupe {
  #store;
  #stage;
  #tiles;
  #look;
  #canvas = h("canvas", { "aria-hidden": "true" });
  #cursor = h("div", { class: "cell-cursor", hidden: true });
  #field = h(
    "div",
    { class: "field", tabindex: 0, role: "application", "aria-roledescription": "map of cells" },
    this.#canvas,
    this.#cursor,
  );
  #title = h("h4", {});
  #figures = h("p", { class: "muted" });
  #cell = h("div", { class: "cell" });
  #best = h("div", { class: "row small-row" });
  #crop = h("canvas", {
    width: CROP_PX,
    height: CROP_PX,
    class: "crop",
    role: "img",
    "aria-label": "What the cell sees",
  });

  element = h(
    "section",
    { class: "loupe", "aria-label": "One channel" },
    this.#field,
    h("div", { class: "told" }, this.#title, this.#figures, this.#cell),
    this.#best,
  );

  constructor(store, stage) {
    this.#store = store;
    this.#stage = stage;
    this.#field.addEventListener("click", (event) => {
      this.#store.set({ channel: this.#channel, cell: this.#tiles.cellAt(this.#canvas, event) });
      this.#field.focus({ preventScroll: true });
    });
    this.#field.addEventListener("keydown", (event) => this.#walk(event));
  }

  get #channel() {
    const wanted = this.#store.get("channel");
    const { channels, strengths } = this.#tiles.map;
    if (wanted !== null && wanted >= 0 && wanted < channels) return wanted;
    return strengths.indexOf(Math.max(...strengths));
  }

  /** Return the chosen cell as [row, column], or [index] of a sequence; null if there is none. */
  get #chosen() {
    const { shape } = this.#tiles.map;
    const places = this.#store.get("cell")?.split(",").map(Number) ?? [];
    const fits =
      places.length === shape.length - 1 &&
      places.every((place, i) => Number.isInteger(place) && place >= 0 && place < shape[i + 1]);
    return fits ? places : null;
  }

  async refresh(tiles, layer, look, signal) {
    this.#tiles = tiles;
    this.#look = look;
    const channel = this.#channel;
    tiles.choose(channel);
    tiles.paint(this.#canvas, channel, look);
    const { rows, columns } = tiles.map;
    this.element.classList.toggle("wide", rows === 1);
    this.#field.style.setProperty("--ratio", rows === 1 ? 8 : columns / rows);
    this.#field.setAttribute(
      "aria-label",
      `Channel ${channel}, ${rows} by ${columns} cells; arrow keys go from cell to cell`,
    );
    this.#title.textContent = `Channel ${channel}`;
    this.#figures.textContent = this.#describe(channel);
    this.#place();
    await this.#see(layer, channel, signal);
  }

  #describe(channel) {
    const { ranges, values, rows, columns } = this.#tiles.map;
    const size = rows * columns;
    let [zeros, sum] = [0, 0];
    for (let i = channel * size; i < (channel + 1) * size; i++) {
      sum += values[i];
      if (values[i] === 0) zeros++;
    }
    return `${figure(ranges[channel].low)} to ${figure(ranges[channel].high)}, mean ${figure(sum / size)}, ${percent(zeros / size)} zeros`;
  }

  #place() {
    const chosen = this.#chosen;
    this.#cursor.hidden = !chosen;
    if (!chosen) return;
    const { rows, columns, flip } = this.#tiles.map;
    const [row, column] = chosen.length === 2 ? chosen : [0, chosen[0]];
    const shown = {
      "--top": (flip ? rows - 1 - row : row) / rows,
      "--left": column / columns,
      "--down": 1 / rows,
      "--across": 1 / columns,
    };
    for (const [name, value] of Object.entries(shown)) this.#cursor.style.setProperty(name, value);
  }

  #walk(event) {
    const { rows, columns, flip } = this.#tiles.map;
    const steps = {
      ArrowDown: [flip ? -1 : 1, 0],
      ArrowUp: [flip ? 1 : -1, 0],
      ArrowLeft: [0, -1],
      ArrowRight: [0, 1],
    };
    if (event.key === "Escape") return this.#store.set({ cell: null });
    if (!(event.key in steps) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const [down, right] = steps[event.key];
    const here =
      this.#chosen ??
      [Math.floor(rows / 2), Math.floor(columns / 2)].slice(
        this.#tiles.map.shape.length === 3 ? 0 : 1,
      );
    const [row, column] = here.length === 2 ? here : [0, here[0]];
    const within = (place, count) => Math.min(Math.max(place, 0), count - 1);
    const there = [within(row + down, rows), within(column + right, columns)].slice(
      here.length === 2 ? 0 : 1,
    );
    this.#store.set({ channel: this.#channel, cell: (this.#chosen ? there : here).join(",") });
  }

  /** Show what the chosen cell holds and sees, here and on the stage. */
  async #see(layer, channel, signal) {
    const chosen = this.#chosen;
    if (!chosen) {
      this.#stage.shown.mark(null);
      this.#best.replaceChildren();
      return this.#cell.replaceChildren(
        h("p", { class: "muted" }, "Click a cell to see what it sees."),
      );
    }
    const { given, ready, version, start } = this.#store.all;
    const question = {
      path: `v1/models/${ready.name}/feature-maps`,
      accept: "application/json",
      body: given.blob,
      file: given.id,
      parameters: {
        layer: layer.name,
        channels: channel,
        cell: chosen.join(","),
        start_s: start,
        version,
      },
    };
    const { cell } = (await recall(question, "json", signal)).data;
    signal.throwIfAborted();
    const words = seen(cell, given.kind);
    announce(`Cell ${chosen.join(", ")}: ${figure(cell.values[0])}. ${words}`);
    this.#cell.replaceChildren(
      ...[
        h("p", {}, `Cell ${chosen.join(", ")}: `, h("strong", {}, figure(cell.values[0]))),
        h("p", {}, words),
        given.kind === "image" && cell.box ? this.#crop : null,
      ].filter(Boolean),
    );
    this.#strongest(chosen);
    this.#stage.shown.mark(cell.box);
    if (given.kind === "image" && cell.box) await this.#stage.shown.crop(this.#crop, cell.box);
  }

  #strongest(chosen) {
    const { values, rows, columns, channels } = this.#tiles.map;
    const at = chosen.length === 2 ? chosen[0] * columns + chosen[1] : chosen[0];
    const here = Array.from({ length: channels }, (_, i) => ({
      i,
      value: values[i * rows * columns + at],
    }));
    const best = here
      .sort((one, other) => Math.abs(other.value) - Math.abs(one.value))
      .slice(0, STRONGEST);
    const pick = (i) => () => this.#store.set({ channel: i });
    this.#best.replaceChildren(
      h("span", { class: "muted" }, "Strongest in this cell: channel"),
      ...best.map(({ i, value }) =>
        h(
          "button",
          { type: "button", class: "quiet", on: { click: pick(i) } },
          `${i}: ${figure(value)}`,
        ),
      ),
    );
  }
}

function seen({ box, clipped }, kind) {
  if (!box) return clipped ? "It sees nothing but padding." : "Its place cannot be told.";
  if (kind === "sound") return `It hears ${seconds(box.start_s)} to ${seconds(box.end_s)}.`;
  const round = (side) => (side < 10 ? figure(Math.round(side * 10) / 10) : Math.round(side));
  const size = `${round(box.right - box.left)} × ${round(box.bottom - box.top)} pixels`;
  return `It sees ${size} of the picture${clipped ? ", up to its edge" : ""}.`;
}
