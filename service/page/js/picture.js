// A picture on the stage: a copy no larger than the screen needs, and layers over it.

import { h, svg } from "./dom.js";

const LARGEST_PX = 1600;
// Smaller pictures are shown with square pixels.
const TINY_PX = 64;

export class Picture {
  #canvas = h("canvas", { class: "layer" });
  #cover = h("div", { class: "layer cover" });
  #marks = svg("svg", { class: "layer marks", "aria-hidden": "true" });
  #frame = h("div", { class: "frame" }, this.#canvas, this.#cover, this.#marks);
  #url;

  element = h("div", { class: "picture", role: "img" }, this.#frame);

  constructor(given) {
    this.element.setAttribute("aria-label", given.name);
    this.#url = URL.createObjectURL(given.blob);
    /** Resolves to {width, height} of the upright picture in its own pixels, or null if the browser cannot show it. */
    this.size = this.#draw(given.blob);
  }

  async #draw(blob) {
    const image = new Image();
    image.src = this.#url;
    try {
      await new Promise((resolve, reject) =>
        Object.assign(image, { onload: resolve, onerror: reject }),
      );
      const [width, height] = [image.naturalWidth, image.naturalHeight];
      const shrink = Math.min(1, LARGEST_PX / Math.max(width, height));
      this.#frame.style.setProperty("--ratio", width / height);
      this.#marks.setAttribute("viewBox", `0 0 ${width} ${height}`);
      this.#frame.classList.toggle("tiny", Math.max(width, height) <= TINY_PX);
      // decoded and made smaller on another thread
      const bitmap = await createImageBitmap(blob, {
        resizeWidth: Math.max(1, Math.round(width * shrink)),
        resizeHeight: Math.max(1, Math.round(height * shrink)),
        resizeQuality: shrink < 1 ? "medium" : "pixelated",
      });
      Object.assign(this.#canvas, { width: bitmap.width, height: bitmap.height });
      this.#canvas.getContext("2d").drawImage(bitmap, 0, 0);
      bitmap.close();
      return { width, height };
    } catch {
      this.#frame.replaceChildren(
        h(
          "p",
          { class: "unseen" },
          "Your browser cannot show this file. The model may be able to read it all the same.",
        ),
      );
      return null;
    }
  }

  clear() {
    this.cover(null);
    this.mark(null);
  }

  /** Lay a canvas or a picture over the whole of it, as opaque as told (0 to 1); null takes it away. */
  cover(element, opacity = 1) {
    if (element) element.classList.add("layer");
    this.#cover.replaceChildren(...(element ? [element] : []));
    this.fade(opacity);
  }

  fade(opacity) {
    this.#cover.style.setProperty("opacity", opacity);
  }

  /** Frame a box {left, top, right, bottom} in the picture's own pixels; null takes it away. */
  async mark(box) {
    const size = await this.size;
    if (!box || !size) return this.#marks.replaceChildren();
    const { left, top, right, bottom } = box;
    const hole = `M0 0H${size.width}V${size.height}H0ZM${left} ${top}V${bottom}H${right}V${top}Z`;
    const frame = { x: left, y: top, width: right - left, height: bottom - top };
    this.#marks.replaceChildren(
      svg("path", { d: hole, class: "shade", "fill-rule": "evenodd" }),
      svg("rect", { ...frame, class: "halo" }),
      svg("rect", { ...frame, class: "box" }),
    );
  }

  /** Draw what lies in a box into a canvas, as large as it fits. */
  async crop(canvas, { left, top, right, bottom }) {
    const size = await this.size;
    if (!size) return;
    const [across, down] = [this.#canvas.width / size.width, this.#canvas.height / size.height];
    const [width, height] = [right - left, bottom - top];
    const zoom = Math.min(canvas.width / width, canvas.height / height);
    const context = canvas.getContext("2d");
    context.imageSmoothingEnabled = zoom < 4;
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.drawImage(
      this.#canvas,
      left * across,
      top * down,
      width * across,
      height * down,
      (canvas.width - width * zoom) / 2,
      (canvas.height - height * zoom) / 2,
      width * zoom,
      height * zoom,
    );
  }

  /** Tell the listener where, in the picture's own pixels, the pointer is or was clicked. */
  point(type, listener) {
    const heard = async (event) => {
      const size = await this.size;
      if (!size) return;
      const place = this.#frame.getBoundingClientRect();
      listener({
        x: ((event.clientX - place.left) / place.width) * size.width,
        y: ((event.clientY - place.top) / place.height) * size.height,
      });
    };
    this.#frame.addEventListener(type, heard);
    return () => this.#frame.removeEventListener(type, heard);
  }

  release() {
    URL.revokeObjectURL(this.#url);
  }
}
