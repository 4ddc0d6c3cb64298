// The channels of a layer as a grid of tiles.

import { paint, paintScale, rangeOf, scaleOf } from "./colors.js";
import { choose, h, walkable } from "./dom.js";
import { figure } from "./format.js";

// Further tiles come when they are asked for.
const AT_ONCE = 64;
// Wider sequences are squeezed, the strongest value of each bucket shown.
const WIDEST = 512;

export class Tiles {
  #grid = h("div", {
    class: "tiles",
    role: "listbox",
    "aria-label": "Channels",
    "aria-orientation": "horizontal",
  });
  #legend = h("div", { class: "scale" });
  #more = h("button", { type: "button", hidden: true }, "Show more channels");
  #most = AT_ONCE;
  #map = null;
  #look;

  element = h("div", { class: "stack tight" }, this.#legend, this.#grid, this.#more);

  constructor(pick) {
    const columns = () => getComputedStyle(this.#grid).gridTemplateColumns.split(" ").length;
    const chosen = (option, click) => {
      const canvas = click?.target.closest("canvas");
      pick(Number(option.dataset.channel), canvas ? this.cellAt(canvas, click) : null);
    };
    walkable(this.#grid, { columns, pick: chosen });
    this.#more.addEventListener("click", () => {
      this.#most += AT_ONCE;
      this.draw(this.#look);
    });
  }

  /** The layer's values: {shape: [C, H, W] or [C, L], values, flip}. */
  get map() {
    return this.#map;
  }

  set map(map) {
    this.#map = map && {
      ...map,
      rows: map.shape.length === 3 ? map.shape[1] : 1,
      columns: map.shape.at(-1),
      channels: map.shape[0],
    };
    this.#most = AT_ONCE;
    if (map) this.#measure();
  }

  #measure() {
    const { values, channels, rows, columns } = this.#map;
    const size = rows * columns;
    this.#map.ranges = Array.from({ length: channels }, (_, i) => rangeOf(values, i * size, size));
    this.#map.strengths = this.#map.ranges.map((_, i) => {
      let sum = 0;
      for (let at = i * size; at < (i + 1) * size; at++) sum += Math.abs(values[at]);
      return sum / size;
    });
    this.#map.range = this.#map.ranges.reduce((all, one) => ({
      low: Math.min(all.low, one.low),
      high: Math.max(all.high, one.high),
    }));
  }

  /** Return the channels in the order in which they are shown. */
  ordered(look) {
    const numbers = [...this.#map.ranges.keys()];
    return look.order === "strength"
      ? numbers.sort((one, other) => this.#map.strengths[other] - this.#map.strengths[one])
      : numbers;
  }

  /** Return the colours of a channel as it is looked at. */
  scale(channel, look) {
    return scaleOf(
      look.scale === "channel" ? this.#map.ranges[channel] : this.#map.range,
      look.map,
    );
  }

  draw(look) {
    this.#look = look;
    if (!this.#map) return;
    const shown = this.ordered(look).slice(0, this.#most);
    this.#grid.style.setProperty("--tile", `${this.#width(look.size)}px`);
    const chosen = this.#grid.querySelector("[aria-selected=true]")?.dataset.channel;
    this.#grid.replaceChildren(...shown.map((channel) => this.#tile(channel, look)));
    this.choose(chosen === undefined ? null : Number(chosen));
    this.#more.hidden = shown.length >= this.#map.channels;
    this.#label(look);
  }

  choose(channel) {
    choose(
      this.#grid,
      channel === null ? null : this.#grid.querySelector(`[data-channel="${channel}"]`),
    );
  }

  /** Return which cell of the layer a click on a canvas of it meant, as the address has it. */
  cellAt(canvas, event) {
    const { rows, columns, flip } = this.#map;
    const place = canvas.getBoundingClientRect();
    const share = (at, size, count) =>
      Math.min(Math.max(Math.floor((at / size) * count), 0), count - 1);
    const row = share(event.clientY - place.top, place.height, rows);
    const column = share(event.clientX - place.left, place.width, columns);
    return this.#map.shape.length === 3
      ? `${flip ? rows - 1 - row : row},${column}`
      : String(column);
  }

  /** Paint a channel into a canvas. */
  paint(canvas, channel, look) {
    const { values, rows, columns, flip } = this.#map;
    const start = channel * rows * columns;
    const scale = this.scale(channel, look);
    if (columns <= WIDEST || rows > 1)
      return paint(canvas, { values, start, rows, columns, scale, flip });
    return paint(canvas, {
      values: squeezed(values, start, columns),
      rows: 1,
      columns: WIDEST,
      scale,
    });
  }

  #width(size) {
    const { rows, columns } = this.#map;
    if (rows === 1) return size * 3;
    return columns > rows ? Math.min(size * (columns / rows), size * 2) : size;
  }

  #tile(channel, look) {
    const { ranges, rows, columns } = this.#map;
    const canvas = h("canvas", {
      "aria-hidden": "true",
      style: { "--ratio": rows === 1 ? 9 : columns / rows },
    });
    this.paint(canvas, channel, look);
    const { low, high } = ranges[channel];
    return h(
      "div",
      {
        role: "option",
        class: "tile",
        tabindex: -1,
        "data-channel": channel,
        "aria-label": `Channel ${channel}, ${low === high ? `everywhere ${figure(low)}` : `from ${figure(low)} to ${figure(high)}`}`,
      },
      canvas,
      h("span", { "aria-hidden": "true" }, String(channel)),
    );
  }

  #label(look) {
    const shared = look.scale === "shared";
    const scale = scaleOf(this.#map.range, look.map);
    const ramp = h("canvas", { class: "ramp", "aria-hidden": "true" });
    paintScale(ramp, scale);
    const { low, high } = this.#map.range;
    const dead = this.#map.ranges.filter((one) => one.low === one.high).length;
    this.#legend.replaceChildren(
      h("span", {}, shared ? figure(scale.low) : "lowest"),
      ramp,
      h("span", {}, shared ? figure(scale.high) : "highest"),
      h(
        "span",
        { class: "muted" },
        `${this.#map.channels} ${this.#map.channels === 1 ? "channel" : "channels"}, values ${figure(low)} to ${figure(high)}${dead ? `, ${dead} the same everywhere` : ""}`,
      ),
    );
  }
}

/** Return the strongest value of each of WIDEST buckets of a sequence. */
function squeezed(values, start, length) {
  return Float32Array.from({ length: WIDEST }, (_, bucket) => {
    let found = 0;
    const end = start + Math.floor(((bucket + 1) * length) / WIDEST);
    for (let i = start + Math.floor((bucket * length) / WIDEST); i < end; i++) {
      if (!(Math.abs(values[i]) <= Math.abs(found))) found = values[i];
    }
    return found;
  });
}
