// The filters themselves, which no file is needed for.

import { actions, fileName } from "./actions.js";
import { h } from "./dom.js";
import { figure, volume } from "./format.js";
import { recall } from "./server.js";
import { layersOf } from "./table.js";

export const kernelsView = {
  name: "kernels",
  title: "Kernels",
  hint: "The filters of a convolution",
  open: (body, store) => ({ refresh: (signal) => refresh(body, store, signal) }),
};

const MOST = 64;

async function refresh(body, store, signal) {
  const { ready, version } = store.all;
  const { layers } = await layersOf(ready, version, signal);
  const convolutions = layers.filter(
    (layer) => layer.parameters && layer.kernel && layer.op.includes("Conv"),
  );
  if (!convolutions.length)
    return body.replaceChildren(
      h("p", {}, "This model has no convolution with weights of its own."),
    );
  const layer =
    convolutions.find(({ name, module }) => [name, module].includes(store.get("layer"))) ??
    convolutions[0];
  const choice = h(
    "label",
    {},
    "Layer",
    h(
      "select",
      { on: { change: (event) => store.set({ layer: event.target.value }) } },
      convolutions.map(({ name }) =>
        h("option", { value: name, selected: name === layer.name }, name),
      ),
    ),
  );
  const channels = layer.shape[0] > MOST ? `0-${MOST - 1}` : null;
  const question = {
    path: `v1/models/${ready.name}/kernels`,
    parameters: { layer: layer.name, channels, version },
    accept: "image/png",
  };
  const [picture, { data }] = await Promise.all([
    recall(question, "blob", signal),
    recall({ ...question, accept: "application/json" }, "json", signal),
  ]);
  signal.throwIfAborted();
  const url = URL.createObjectURL(picture.data);
  const image = h("img", {
    src: url,
    alt: `The filters of ${layer.name}`,
    class: "kernels",
    on: { load: () => URL.revokeObjectURL(url) },
  });
  const file = (end) => fileName([ready.name, layer.name, "kernels"], end);
  const facts = `${volume(data.shape)}, weights ${figure(data.minimum)} to ${figure(data.maximum)}${channels ? `; the first ${MOST} filters` : ""}`;
  body.replaceChildren(
    h("div", { class: "tools" }, choice),
    h("p", { class: "muted" }, facts),
    h("div", { class: "sideways", tabindex: 0, role: "region", "aria-label": "Filters" }, image),
    actions({ ...question, accept: "*/*" }, null, [
      { label: "Save PNG", name: file("png"), question },
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
    ]),
  );
}
