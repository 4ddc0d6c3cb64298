// What a net that listens says of every window, and the picture that it makes of one.

import { h } from "./dom.js";
import { figure, percent, seconds } from "./format.js";
import { spanColor } from "./legend.js";
import { picture, scroller, table } from "./parts.js";
import { layersOf } from "./table.js";
import { recall } from "./server.js";

/** Lay the windows over the sound and return them as a table; one can be picked. */
export function windows(data, store, recording) {
  const best = (one) => one.predictions[0];
  return pickable(data, store, recording, {
    said: (one) => best(one).label,
    index: (one) => best(one).class_index + 2,
    names: ["window", "class", "probability"],
    cells: (one) => [best(one).label, percent(best(one).probability)],
  });
}

/** As `windows`, of a net that tells numbers. */
export function measured(data, store, recording) {
  return pickable(data, store, recording, {
    said: ({ values }) => figure(values[0].value),
    index: () => 0,
    names: ["window", ...data.values.map(({ name, unit }) => `${name} in ${unit}`)],
    cells: ({ values }) => values.map(({ value }) => figure(value)),
  });
}

function pickable({ segments, duration_s }, store, recording, { said, index, names, cells }) {
  const start = store.get("start") ?? 0;
  const spans = segments.map((one, i) => ({
    ...one,
    label: one.silent ? "silent" : said(one),
    color: spanColor(one.silent ? 1 : index(one)),
    current: one.start_s === start,
    // windows overlap: each is shown up to where the next begins
    end_s: segments[i + 1] ? Math.min(one.end_s, segments[i + 1].start_s) : one.end_s,
  }));
  const several = segments.length > 1;
  const pick = (i) => store.set({ start: segments[i].start_s || null });
  recording.span(spans, duration_s, several ? pick : null);
  const current = segments.find((one) => one.start_s === start) ?? segments[0];
  recording.mark(several ? current : null);
  if (!several) return null;
  const rows = segments.map((one) => [
    `${seconds(one.start_s)} to ${seconds(one.end_s)}`,
    ...(one.silent ? ["silent", ...names.slice(2).map(() => "")] : cells(one)),
  ]);
  const summary = h("summary", {}, `${segments.length} windows`);
  return h("details", {}, summary, table("Windows", names, rows));
}

/** Return the picture of the first layer that shows the sound as a spectrogram or an envelope. */
export async function heard(store, signal) {
  const { given, ready, version, start } = store.all;
  const { layers } = await layersOf(ready, version, signal);
  const layer =
    layers.find(({ op }) => op === "Log") ?? layers.find(({ op }) => op === "Conv") ?? layers[0];
  const question = {
    path: `v1/models/${ready.name}/feature-maps`,
    accept: "image/png",
    body: given.blob,
    file: given.id,
    parameters: { layer: layer.name, start_s: start, version },
  };
  const { data } = await recall(question, "blob", signal);
  const alt = `What ${layer.name} makes of this window: time from left to right`;
  const sheet = picture(data, { alt, class: "sheet" });
  return h(
    "figure",
    {},
    h("figcaption", {}, "What the network hears, from ", seconds(start ?? 0), " on"),
    scroller("What the network hears", "sideways", sheet),
  );
}
