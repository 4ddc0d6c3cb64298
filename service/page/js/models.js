// Which model and version answers.

import { by, h } from "./dom.js";
import { percent, count } from "./format.js";
import { Problem, ask } from "./server.js";

const GROUPS = {
  "image-classification": "Name a picture",
  "image-segmentation": "Name every pixel",
  "audio-classification": "Name a sound",
  "audio-segmentation": "Name every moment",
  "audio-regression": "Measure a sound",
};

/** Return whether a version names classes; others tell numbers. */
export const hasClasses = (ready) => !ready.units.length;

/** Return the kind of file that a version takes: image or sound. */
export const takes = (ready) => (ready.preprocessing.kind === "audio" ? "sound" : "image");

export class Models {
  #store;
  #models = [];

  constructor(store) {
    this.#store = store;
    by("model").addEventListener("change", (event) => {
      store.set({ ...nothingOf, model: event.target.value, version: null });
    });
    by("version").addEventListener("change", (event) =>
      store.set({ version: Number(event.target.value) }),
    );
    store.on(["model", "version"], () => this.#settle());
    store.on(["given"], () => this.#list());
  }

  async load() {
    this.#models = (await (await ask({ path: "v1/models" })).json()).models;
    if (!this.#served.length) {
      const first = this.#models[0]?.versions[0];
      const detail = first
        ? `None is ready. Of ${this.#models[0].name}: ${first.file ?? ""} ${first.reason}.`
        : "There are no models in its folder.";
      throw new Problem({ title: "No model to ask", detail, status: 503 });
    }
    this.#settle();
  }

  get #served() {
    return this.#models.filter((model) => model.served_version !== null);
  }

  /** Return all that can be asked, as {model, version, ready}. */
  get all() {
    return this.#served.flatMap((model) =>
      model.versions
        .filter((one) => one.state === "ready")
        .map((ready) => ({ model: model.name, version: ready.version, ready })),
    );
  }

  /** Return the names of the models that take this kind of file, the preferred ones first. */
  taking(kind, preferred = []) {
    const names = this.#served
      .filter((model) => takes(served(model)) === kind)
      .map((model) => model.name);
    return [...preferred.filter((name) => names.includes(name)), ...names];
  }

  #settle() {
    const { model: name, version } = this.#store.all;
    const model = this.#served.find((one) => one.name === name) ?? this.#served[0];
    const ready = model.versions.find((one) => one.version === version && one.state === "ready");
    // a model that is only assumed is not in the address
    const chosen = name === null ? null : model.name;
    this.#store.set({
      model: chosen,
      version: ready ? version : null,
      ready: { ...(ready ?? served(model)), name: model.name },
    });
    this.#list();
  }

  #list() {
    const ready = this.#store.get("ready");
    if (!ready) return;
    by("model").replaceChildren(...this.#groups());
    by("model").value = ready.name;
    const versions = this.#models
      .find((one) => one.name === ready.name)
      .versions.filter((one) => one.state === "ready");
    by("version").replaceChildren(
      ...versions.map((one) => h("option", { value: one.version }, `version ${one.version}`)),
    );
    by("version").value = ready.version;
    by("model").disabled = false;
    by("version").disabled = versions.length < 2;
    describe(ready);
  }

  #groups() {
    const kind = this.#store.get("given")?.kind;
    const tasks = [...new Set(this.#served.map((model) => served(model).task))].sort(
      (one, other) => Object.keys(GROUPS).indexOf(one) - Object.keys(GROUPS).indexOf(other),
    );
    return tasks.map((task) => {
      const of = this.#served.filter((model) => served(model).task === task);
      const needs = takes(served(of[0]));
      const unfit =
        kind && kind !== needs ? ` (needs a ${needs === "sound" ? "sound" : "picture"})` : "";
      return h(
        "optgroup",
        { label: `${GROUPS[task] ?? task}${unfit}` },
        of.map((model) => h("option", { value: model.name }, model.name)),
      );
    });
  }
}

/** What is forgotten with another model: what was chosen inside it. */
export const nothingOf = {
  layer: null,
  channel: null,
  cell: null,
  start: null,
  map: null,
  method: null,
  class: null,
  at: null,
};

function served(model) {
  return model.versions.find((one) => one.version === model.served_version);
}

function describe(ready) {
  const metric = ready.metrics[0];
  const facts = [
    ["Runs on", ready.execution_provider.replace("ExecutionProvider", "")],
    [
      "Input",
      ready.input.shape
        .slice(1)
        .map((size) => size ?? "any")
        .join(" × "),
    ],
    hasClasses(ready)
      ? ["Classes", count(ready.labels.length)]
      : ["Measures", ready.labels.join(", ")],
    ["Memory", `${(ready.memory_bytes / 1e6).toFixed(1)} MB`],
    metric && [
      metric.name,
      `${percent(metric.value)} on ${metric.dataset} (${metric.interval.map(percent).join(" to ")})`,
    ],
    ["Licence", ready.license],
  ];
  by("about-text").replaceChildren(
    h("p", {}, ready.description),
    h(
      "dl",
      {},
      facts
        .filter(Boolean)
        .map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
    ),
  );
}
