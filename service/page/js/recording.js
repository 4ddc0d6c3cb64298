// A sound on the stage: its waveform, spans of time over it, and a player.

import { h, svg } from "./dom.js";
import { seconds } from "./format.js";

// Decoded sounds need a hundred times the memory of their files: of larger ones only the player is shown.
const LARGEST_BYTES = 12e6;
const POINTS = 600;

export class Recording {
  #wave = svg("svg", {
    viewBox: `0 0 ${POINTS} 100`,
    preserveAspectRatio: "none",
    class: "waveform",
    "aria-hidden": "true",
  });
  #spans = h("div", { class: "spans" });
  #box = h("div", { class: "span-box", hidden: true });
  #cursor = h("div", { class: "cursor", hidden: true });
  #axis = h("div", { class: "axis", "aria-hidden": "true" });
  #url;
  #player;

  element = h("div", { class: "recording" });

  constructor(given) {
    this.#url = URL.createObjectURL(given.blob);
    this.#player = h("audio", {
      controls: true,
      src: this.#url,
      preload: "metadata",
      "aria-label": given.name,
    });
    this.element.append(
      h("div", { class: "scope" }, this.#wave, this.#spans, this.#box, this.#cursor),
      this.#axis,
      this.#player,
    );
    this.#player.addEventListener("timeupdate", () => this.#follow());
    this.#player.addEventListener("error", () =>
      this.#player.replaceWith(h("p", { class: "muted" }, "Your browser cannot play this file.")),
    );
    /** Resolves to the sound's length in seconds, or null if the browser cannot tell. */
    this.duration_s = this.#draw(given.blob);
  }

  async #draw(blob) {
    try {
      if (blob.size > LARGEST_BYTES) return await this.#told();
      // decoding needs a context, and this one never plays
      const context = new OfflineAudioContext(1, 1, 22050);
      const sound = await context.decodeAudioData(await blob.arrayBuffer());
      this.#wave.replaceChildren(svg("path", { d: outline(sound.getChannelData(0)) }));
      this.#ticks(sound.duration);
      return sound.duration;
    } catch {
      return null;
    }
  }

  async #told() {
    await new Promise((resolve, reject) =>
      Object.assign(this.#player, { onloadedmetadata: resolve, onerror: reject }),
    );
    this.#ticks(this.#player.duration);
    return this.#player.duration;
  }

  #ticks(duration) {
    const step =
      [0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300, 600, 1800].find((one) => duration / one <= 7) ??
      3600;
    const times = Array.from({ length: Math.floor(duration / step) + 1 }, (_, i) => i * step);
    this.#axis.replaceChildren(
      ...times.map((time) =>
        h(
          "span",
          { style: { "--at": time / duration } },
          step < 1 ? time.toFixed(1) : String(time),
        ),
      ),
      h("span", { class: "unit" }, "s"),
    );
    this.#axis.lastChild.style.setProperty("--at", 1);
  }

  async #follow() {
    const duration = await this.duration_s;
    if (!duration) return;
    this.#cursor.hidden = false;
    this.#cursor.style.setProperty("--at", Math.min(this.#player.currentTime / duration, 1));
  }

  clear() {
    this.#spans.replaceChildren();
    this.#box.hidden = true;
  }

  /** Lay spans {start_s, end_s, label, color} over the sound; picked is called with the number of one. */
  async span(spans, duration_s, picked) {
    const duration = duration_s ?? (await this.duration_s);
    this.#spans.replaceChildren(
      ...spans.map((span, i) =>
        h(
          picked ? "button" : "div",
          {
            class: "span",
            title: `${span.label}, ${seconds(span.start_s)} to ${seconds(span.end_s)}`,
            ...(picked
              ? {
                  type: "button",
                  "aria-pressed": String(Boolean(span.current)),
                  on: { click: () => picked(i) },
                }
              : {}),
            style: {
              "--from": span.start_s / duration,
              "--to": span.end_s / duration,
              "--color": span.color,
            },
          },
          h("span", {}, span.label),
        ),
      ),
    );
  }

  /** Frame a time {start_s, end_s}; null takes it away. */
  async mark(time) {
    const duration = await this.duration_s;
    this.#box.hidden = !time || !duration;
    if (this.#box.hidden) return;
    this.#box.style.setProperty("--from", Math.max(0, time.start_s / duration));
    this.#box.style.setProperty("--to", Math.min(1, time.end_s / duration));
  }

  release() {
    this.#player.pause();
    URL.revokeObjectURL(this.#url);
  }
}

/** Return a path that runs along the highest samples and back along the lowest. */
function outline(samples) {
  const points = Math.min(POINTS, samples.length);
  const [highs, lows] = [[], []];
  let loudest = 1e-4;
  for (let point = 0; point < points; point++) {
    let [low, high] = [0, 0];
    const end = Math.floor(((point + 1) * samples.length) / points);
    for (let i = Math.floor((point * samples.length) / points); i < end; i++) {
      if (samples[i] > high) high = samples[i];
      if (samples[i] < low) low = samples[i];
    }
    highs.push(high);
    lows.push(low);
    loudest = Math.max(loudest, high, -low);
  }
  const at = (value, i) =>
    `${((i * POINTS) / points).toFixed(1)} ${(50 - (value / loudest) * 46).toFixed(1)}`;
  const back = lows.map((low, i) => at(Math.min(low, -loudest / 100), i)).reverse();
  return `M${highs.map((high, i) => at(Math.max(high, loudest / 100), i)).join("L")}L${back.join("L")}Z`;
}
