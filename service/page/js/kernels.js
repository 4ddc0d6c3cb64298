// The filters themselves, which no file is needed for.

import { actions, fileName } from "./actions.js";
import { h } from "./dom.js";
import { figure, volume } from "./format.js";
import { chooser, picture, quiet, scroller } from "./parts.js";
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
  if (!convolutions.length) {
    return body.replaceChildren(quiet("This model has no convolution with weights of its own."));
  }
  const wanted = store.get("layer");
  const layer =
    convolutions.find(({ name, module }) => [name, module].includes(wanted)) ?? convolutions[0];
  const names = convolutions.map(({ name }) => [name, name]);
  const choice = chooser("Layer", names, layer.name, (name) => store.set({ layer: name }));
  const channels = layer.shape[0] > MOST ? `0-${MOST - 1}` : null;
  const question = {
    path: `v1/models/${ready.name}/kernels`,
    parameters: { layer: layer.name, channels, version },
    accept: "image/png",
  };
  const [{ data: drawn }, { data }] = await Promise.all([
    recall(question, "blob", signal),
    recall({ ...question, accept: "application/json" }, "json", signal),
  ]);
  signal.throwIfAborted();
  const image = picture(drawn, { alt: `The filters of ${layer.name}`, class: "kernels" });
  const range = `weights ${figure(data.minimum)} to ${figure(data.maximum)}`;
  const part = channels ? `; the first ${MOST} filters` : "";
  body.replaceChildren(
    h("div", { class: "tools" }, choice),
    quiet(`${volume(data.shape)}, ${range}${part}`),
    scroller("Filters", "sideways", image),
    takeaways(question, ready, layer),
  );
}

function takeaways(question, ready, layer) {
  const file = (end) => fileName([ready.name, layer.name, "kernels"], end);
  const as = (accept) => ({ ...question, accept });
  return actions(as("*/*"), null, [
    { label: "Save PNG", name: file("png"), question },
    { label: "Save npy", name: file("npy"), question: as("application/x-npy") },
    { label: "Save JSON", name: file("json"), question: as("application/json") },
  ]);
}
