// The classes of a segmenter: which are there, where, and how much of each.

import { h } from "./dom.js";
import { percent, seconds } from "./format.js";
import { table, track } from "./parts.js";

const LARGEST_PX = 1600;
// How opaque a mask is at first, in percent.
const USUAL = 60;

/** Lay the mask over the picture and return its legend, with a switch for each class. */
export async function legend(data, picture, signal) {
  const mask = await Mask.read(data);
  signal.throwIfAborted();
  picture.cover(mask.canvas, USUAL / 100);
  const fade = (event) => picture.fade(event.target.value / 100);
  const opacity = h("input", {
    type: "range",
    min: 0,
    max: 100,
    value: USUAL,
    on: { input: fade },
  });
  const under = h("p", { class: "muted under" }, "Point at the picture to see a pixel's class.");
  const stop = picture.point("pointermove", ({ x, y }) => {
    under.textContent = `Here: ${mask.at(x, y) ?? "nothing"}`;
  });
  signal.addEventListener("abort", stop);
  return h(
    "div",
    { class: "stack" },
    h("label", { class: "slider" }, "Opacity of the mask", opacity),
    h(
      "ul",
      { class: "legend", "aria-label": "Classes in the picture" },
      data.classes.map((one) => row(one, mask)),
    ),
    under,
  );
}

function row(one, mask) {
  const show = (event) => mask.show(one, event.target.checked);
  return h(
    "li",
    {},
    h(
      "label",
      {},
      h("input", { type: "checkbox", checked: true, on: { change: show } }),
      swatch(css(one.color)),
      h("span", { class: "name" }, one.label),
      track(one.share, css(one.color)),
      h("span", { class: "number" }, percent(one.share)),
    ),
  );
}

const swatch = (color) => h("span", { class: "swatch", style: { "--color": color } });

const css = (color) => `rgb(${color.join(" ")})`;

/** A mask whose classes can be hidden; made smaller where the picture is large. */
class Mask {
  canvas = h("canvas");
  #classes;
  #pixels;
  #scale;
  #hidden = new Set();

  static async read({ png, classes, width, height }) {
    const bytes = Uint8Array.from(atob(png), (character) => character.charCodeAt(0));
    const scale = Math.min(1, LARGEST_PX / Math.max(width, height));
    const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/png" }), {
      resizeWidth: Math.max(1, Math.round(width * scale)),
      resizeHeight: Math.max(1, Math.round(height * scale)),
      resizeQuality: "pixelated",
    });
    return new Mask(bitmap, classes, scale);
  }

  constructor(bitmap, classes, scale) {
    Object.assign(this.canvas, { width: bitmap.width, height: bitmap.height });
    const context = this.canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(bitmap, 0, 0);
    this.#pixels = context.getImageData(0, 0, bitmap.width, bitmap.height);
    this.#classes = classes;
    this.#scale = scale;
  }

  /** Return the label of the class at a place in the picture's own pixels. */
  at(x, y) {
    const [column, row] = [x, y].map((place) => Math.floor(place * this.#scale));
    const [red, green, blue] = this.#pixels.data.slice(4 * (row * this.#pixels.width + column));
    const found = this.#classes.filter(
      ({ color }) => color[0] === red && color[1] === green && color[2] === blue,
    );
    return found.map(({ label }) => label).join(" or ") || null;
  }

  show(one, shown) {
    this.#hidden[shown ? "delete" : "add"](one.color.join());
    const data = this.#pixels.data;
    for (let i = 0; i < data.length; i += 4) {
      data[i + 3] =
        this.#hidden.size && this.#hidden.has(`${data[i]},${data[i + 1]},${data[i + 2]}`) ? 0 : 255;
    }
    this.canvas.getContext("2d").putImageData(this.#pixels, 0, 0);
  }
}

const SPAN_COLORS = [
  "#1fa088",
  "#8f97a3",
  "#7b6bd6",
  "#c98a1b",
  "#c25b8a",
  "#4c8fd0",
  "#7da33a",
  "#b0644a",
];

export const spanColor = (index) => SPAN_COLORS[index % SPAN_COLORS.length];

/** Lay the spans over the sound and return their legend. */
export function soundLegend(data, recording) {
  const spans = data.segments.map((span) => ({ ...span, color: spanColor(span.class_index) }));
  recording.span(spans, data.duration_s);
  const rows = data.classes.map(({ label, class_index: index, seconds: lasting, share }) =>
    h(
      "li",
      {},
      swatch(spanColor(index)),
      h("span", { class: "name" }, label),
      track(share, spanColor(index)),
      h("span", { class: "number" }, `${seconds(lasting)} · ${percent(share)}`),
    ),
  );
  const times = spans.map(({ start_s, end_s, label }) => [seconds(start_s), seconds(end_s), label]);
  return h(
    "div",
    { class: "stack" },
    h("ul", { class: "legend wide", "aria-label": "Classes in the sound" }, rows),
    h(
      "details",
      {},
      h("summary", {}, `${spans.length} spans`),
      table("Spans", ["from", "to", "class"], times),
    ),
  );
}
