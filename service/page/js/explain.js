// Why: where the model looks for a class, by one of several methods.

import { actions, fileName } from "./actions.js";
import { questionFor } from "./answer.js";
import { announce, h } from "./dom.js";
import { figure, ms, percent, seconds, volume } from "./format.js";
import { gallery } from "./gallery.js";
import { hasClasses, takes } from "./models.js";
import { chooser, facts, picture, quiet, scroller } from "./parts.js";
import { recall } from "./server.js";

export const explainView = {
  name: "explain",
  title: "Reasons",
  hint: "Where the model looks for a class",
  suits: hasClasses,
  open: (body, store, stage) => new Explain(body, store, stage),
};

const MOST = 4;
const METHODS = {
  cam: ["CAM", "the last maps, weighted by the head's own weights: exact, one run"],
  "ablation-cam": ["Ablation-CAM", "each map weighted by what the class loses without it"],
  "eigen-cam": ["Eigen-CAM", "the strongest common pattern of the maps, whatever the class"],
  "score-cam": ["Score-CAM", "each map weighted by how the class fares where it lets through"],
  occlusion: ["Occlusion", "what the class loses when a patch of the input is hidden"],
};

class Explain {
  #store;
  #stage;
  #controls = h("div", { class: "stack" });
  #result = h("div", { class: "stack result" });
  #rows = h("div", { class: "stack" });
  #opacity = h("input", { type: "range", min: 0, max: 100, value: 100 });
  #pointing = null;

  constructor(body, store, stage) {
    this.#store = store;
    this.#stage = stage;
    this.#opacity.addEventListener("input", () => stage.shown?.fade?.(this.#opacity.value / 100));
    body.replaceChildren(this.#controls, this.#result, this.#rows);
  }

  async refresh(signal) {
    const { given, ready, version } = this.#store.all;
    this.#pointing?.();
    const { data: offer } = await recall(
      { path: `v1/models/${ready.name}/explain`, parameters: { version } },
      "json",
      signal,
    );
    signal.throwIfAborted();
    const method =
      offer.methods.find((one) => one.method === this.#store.get("method")) ??
      offer.methods.find((one) => one.default) ??
      offer.methods[0];
    if (!method) return this.#controls.replaceChildren(quiet("Nothing of it can be explained."));
    this.#controls.replaceChildren(...this.#build(offer, method));
    if (!given || takes(ready) !== given.kind)
      return this.#result.replaceChildren(
        quiet("Give it a file, or take a sample, to see its reasons."),
      );
    this.#point(given, ready, signal);
    const question = this.#question(method.method);
    this.#rows.replaceChildren(...this.#galleries(offer, method, signal));
    await this.#explain(question, signal);
  }

  #build(offer, method) {
    const store = this.#store;
    const [title, how] = METHODS[method.method] ?? [method.method, ""];
    const classes = [["", "the likeliest"], ...offer.classes.entries()];
    const take = (index) => store.set({ class: index === "" ? null : Number(index), at: null });
    const parts = [chooser("Class", classes, store.get("class") ?? "", take)];
    if (method.layers.length) parts.push(this.#layers(method));
    if (store.get("ready").task.startsWith("image")) {
      parts.push(h("label", {}, "Opacity", this.#opacity));
    }
    return [
      h(
        "fieldset",
        { class: "segmented" },
        h("legend", { class: "hidden" }, "Method"),
        offer.methods.map(({ method: name }) => this.#radio(name, name === method.method)),
      ),
      quiet(`${title}: ${how}.`),
      h("div", { class: "tools" }, parts),
    ];
  }

  #radio(name, checked) {
    const pick = () => this.#store.set({ method: name, map: null });
    const [title, how] = METHODS[name] ?? [name, null];
    const radio = { type: "radio", name: "method", value: name, checked, on: { change: pick } };
    return h("label", { title: how }, h("input", radio), h("span", {}, title));
  }

  #layers({ layers, default_layer: usual }) {
    const wanted = this.#store.get("map");
    const names = layers.map((name) => [name, name === usual ? `${name} (usual)` : name]);
    const take = (name) => this.#store.set({ map: name === usual ? null : name });
    return chooser("Layer", names, layers.includes(wanted) ? wanted : usual, take);
  }

  /** On a segmenter's picture a click asks for the reasons of one pixel. */
  #point(given, ready, signal) {
    if (ready.task !== "image-segmentation") return;
    this.#pointing = this.#stage.shown.point("click", ({ x, y }) =>
      this.#store.set({ at: `${Math.floor(x)},${Math.floor(y)}` }),
    );
    signal.addEventListener("abort", this.#pointing);
  }

  async #explain(question, signal) {
    this.#result.classList.add("waiting");
    if (!this.#result.hasChildNodes()) this.#result.append(quiet("Asking the model…"));
    try {
      const { data: drawn } = await recall({ ...question, accept: "image/png" }, "blob", signal);
      signal.throwIfAborted();
      const figureOf = this.#show(drawn);
      const { data } = await recall({ ...question, accept: "application/json" }, "json", signal);
      signal.throwIfAborted();
      if (data.degenerate) this.#stage.clear();
      this.#result.replaceChildren(
        ...[
          told(data, this.#store.all),
          figureOf,
          this.#where(),
          takeaways(question, this.#store.all, data),
        ].filter(Boolean),
      );
    } finally {
      this.#result.classList.remove("waiting");
    }
  }

  /** Return the question for a method; what else differs from what is chosen is in `more`. */
  #question(method, more = {}) {
    const { given, ready, version, start, class: index, map, at } = this.#store.all;
    const [x, y] = at?.split(",") ?? [];
    const segments = ready.task === "image-segmentation";
    return {
      path: `v1/models/${ready.name}/explain`,
      body: given.blob,
      file: given.id,
      parameters: {
        method,
        class_index: index,
        layer: method === "occlusion" ? null : map,
        x: segments ? x : null,
        y: segments ? y : null,
        start_s: start,
        version,
        ...more,
      },
    };
  }

  /** Offer the same for all methods, and for the classes that the model thinks of. */
  #galleries(offer, method, signal) {
    const [store, accept] = [this.#store, "image/png"];
    const methods = () =>
      offer.methods.map(({ method: name }) => ({
        title: METHODS[name]?.[0] ?? name,
        chosen: name === method.method,
        question: { ...this.#question(name, { layer: null }), accept },
        pick: () => store.set({ method: name, map: null }),
      }));
    const classes = async () => {
      const { data } = await recall(
        { ...questionFor(store.all), file: store.get("given").id },
        "json",
        signal,
      );
      return (data.predictions ?? data.classes)
        .slice(0, MOST)
        .map(({ label, class_index: index }) => ({
          title: label,
          chosen: index === store.get("class"),
          question: { ...this.#question(method.method, { class_index: index }), accept },
          pick: () => store.set({ class: index, at: null }),
        }));
    };
    return [
      gallery("All methods side by side", methods, signal),
      gallery("The likeliest classes side by side", classes, signal),
    ];
  }

  /** Lay the picture over the one on the stage; of a sound it is returned, to be shown below. */
  #show(blob) {
    if (this.#store.get("given").kind === "image") {
      this.#stage.shown.cover(picture(blob, { alt: "" }), this.#opacity.value / 100);
      return null;
    }
    const alt = "The spectrogram, glowing where the model listens";
    return scroller("Where the model listens", "sideways", picture(blob, { alt, class: "sheet" }));
  }

  #where() {
    if (this.#store.get("ready").task !== "image-segmentation") return null;
    const at = this.#store.get("at");
    if (!at) return quiet("For the reasons of one pixel, click it on the picture.");
    return h(
      "div",
      { class: "row" },
      h("span", {}, `For the pixel at ${at.replace(",", ", ")}.`),
      h(
        "button",
        { type: "button", class: "quiet", on: { click: () => this.#store.set({ at: null }) } },
        "The whole class again",
      ),
    );
  }
}

function told(data, { given }) {
  const { label, probability, peak, channels, channels_used: used } = data;
  const title = METHODS[data.method]?.[0] ?? data.method;
  announce(`${title} for ${label}: ${data.degenerate ? data.reason : "shown"}`);
  const at =
    given.kind === "sound"
      ? ({ time_s: time }) => `at ${seconds(time)}`
      : ({ x, y }) => `at ${Math.round(x)}, ${Math.round(y)}`;
  return h(
    "div",
    { class: "stack tight" },
    h(
      "p",
      { class: "verdict" },
      h("strong", {}, label),
      " ",
      h("span", { class: "muted" }, percent(probability)),
    ),
    data.degenerate ? h("p", { class: "caution" }, `This map says nothing: ${data.reason}.`) : null,
    facts([
      ["strongest", peak ? at(peak) : "nowhere"],
      ["map", `${volume(data.shape)} cells`],
      ["values", `${figure(data.minimum)} to ${figure(data.maximum)}`],
      used && used !== channels && ["channels", `${used} of ${channels}`],
      ["runs", data.runs],
      ["time", ms(data.timing.total_ms)],
    ]),
  );
}

function takeaways(question, { given, ready }, { method, label }) {
  const file = (end) =>
    fileName([given.name.replace(/\.\w+$/, ""), ready.name, method, label], end);
  const alone = { ...question, parameters: { ...question.parameters, render: "map" } };
  return actions({ ...question, accept: "*/*" }, given, [
    {
      label: "Save overlay PNG",
      name: file("png"),
      question: { ...question, accept: "image/png" },
    },
    { label: "Save map PNG", name: file("map.png"), question: { ...alone, accept: "image/png" } },
    {
      label: "Save npy",
      name: file("npy"),
      question: { ...question, accept: "application/x-npy" },
    },
    {
      label: "Save JSON",
      name: file("json"),
      question: { ...question, accept: "application/json" },
    },
  ]);
}
