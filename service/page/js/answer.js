// What the model says: classes with probabilities, pixels, spans of time, and what it cost.

import { actions, fileName } from "./actions.js";
import { h, announce } from "./dom.js";
import { bars } from "./bars.js";
import { latency } from "./latency.js";
import { measured, percent } from "./format.js";
import { legend, soundLegend } from "./legend.js";
import { heard, windows } from "./heard.js";
import { recall } from "./server.js";
import { takes } from "./models.js";

const MOST = 8;

export const answerView = { name: "answer", title: "Answer", hint: "What the model says", open };

function open(body, store, stage) {
  return { refresh: (signal) => refresh(body, store, stage, signal) };
}

async function refresh(body, store, stage, signal) {
  const { given, ready } = store.all;
  if (!given || takes(ready) !== given.kind) return body.replaceChildren(invitation(ready, given));
  const question = questionFor(store.all);
  body.classList.add("waiting");
  try {
    const { data, tookMs } = await recall({ ...question, file: given.id }, "json", signal);
    signal.throwIfAborted();
    const show = SHOWN[ready.task] ?? classes;
    body.replaceChildren(
      await show(data, store, stage, signal),
      latency(data.timing, tookMs),
      takeaways(question, store.all),
    );
  } finally {
    body.classList.remove("waiting");
  }
}

/** Return what to ask the model of the file at hand. */
export function questionFor({ given, ready, version }) {
  const verb = VERBS[ready.task.split("-")[1]];
  const form = { "image-segmentation": { format: "png" } }[ready.task] ?? {};
  const choosing = verb === "classify" ? { top_k: Math.min(ready.labels.length, MOST) } : form;
  return {
    path: `v1/models/${ready.name}/${verb}`,
    parameters: { ...choosing, version },
    body: given.blob,
    accept: "application/json",
  };
}

const VERBS = { classification: "classify", segmentation: "segment", regression: "measure" };
const SHOWN = {
  "image-classification": classes,
  "image-segmentation": pixels,
  "audio-classification": sounds,
  "audio-segmentation": spans,
  "audio-regression": values,
};

function classes({ predictions }) {
  const [first] = predictions;
  announce(`${first.label}, ${percent(first.probability)}`);
  return bars(predictions);
}

async function pixels(data, store, stage, signal) {
  const [first] = data.classes;
  announce(`${data.classes.length} classes; ${first.label} covers ${percent(first.share)}`);
  return legend(data, stage.shown, signal);
}

async function sounds(data, store, stage, signal) {
  const [first] = data.predictions;
  announce(`${first.label}, ${percent(first.probability)}`);
  return h(
    "div",
    { class: "stack" },
    bars(data.predictions),
    windows(data, store, stage.shown),
    await heard(store, signal),
  );
}

async function values(data, store, stage, signal) {
  announce(data.values.map(measured).join(", ") || "silent throughout");
  return h(
    "div",
    { class: "stack" },
    h(
      "dl",
      { class: "measured" },
      data.values.map((one) => h("div", {}, h("dt", {}, one.name), h("dd", {}, measured(one)))),
    ),
    windows(data, store, stage.shown),
    await heard(store, signal),
  );
}

async function spans(data, store, stage, signal) {
  announce(data.classes.map((one) => `${one.label} ${percent(one.share)}`).join(", "));
  return h("div", { class: "stack" }, soundLegend(data, stage.shown), await heard(store, signal));
}

function invitation(ready, given) {
  const noun = takes(ready) === "sound" ? "sound" : "picture";
  const why = given
    ? `${ready.name} takes a ${noun}, and this is none.`
    : `Give ${ready.name} a ${noun} to see its answer here.`;
  return h(
    "div",
    { class: "invitation" },
    h("p", {}, why),
    h("p", { class: "muted" }, ready.description),
  );
}

function takeaways(question, { given, ready }) {
  const name = (end) => fileName([given.name.replace(/\.\w+$/, ""), ready.name], end);
  const saves = [{ label: "Save JSON", name: name("json"), question }];
  if (ready.task === "image-segmentation") {
    const overlay = {
      ...question,
      parameters: { version: question.parameters.version, render: "overlay" },
      accept: "image/png",
    };
    saves.push({ label: "Save overlay PNG", name: name("overlay.png"), question: overlay });
    saves.push({
      label: "Save mask npy",
      name: name("mask.npy"),
      question: {
        ...overlay,
        parameters: { version: question.parameters.version },
        accept: "application/x-npy",
      },
    });
  }
  return actions(question, given, saves);
}
