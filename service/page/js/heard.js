// What a net that listens says of every window, and the picture that it makes of one.

import { h } from "./dom.js";
import { measured, percent, seconds } from "./format.js";
import { spanColor } from "./legend.js";
import { picture, scroller, table } from "./parts.js";
import { layersOf } from "./table.js";
import { recall } from "./server.js";

/** Lay the windows over the sound and return them as a table; one can be picked. */
export function windows({ segments, duration_s }, store, recording) {
  const start = store.get("start") ?? 0;
  const said = (one) => {
    if (one.silent) return "silent";
    return one.values ? one.values.map(measured).join(", ") : one.predictions[0].label;
  };
  const index = (one) => (one.predictions?.length ? one.predictions[0].class_index + 2 : 1);
  const spans = segments.map((one, i) => ({
    ...one,
    label: said(one),
    color: spanColor(index(one)),
    current: one.start_s === start,
    // windows overlap: each is shown up to where the next begins
    end_s: segments[i + 1] ? Math.min(one.end_s, segments[i + 1].start_s) : one.end_s,
  }));
  const pick = (i) => store.set({ start: segments[i].start_s || null });
  recording.span(spans, duration_s, segments.length > 1 ? pick : null);
  recording.mark(
    segments.length > 1 ? (segments.find((one) => one.start_s === start) ?? segments[0]) : null,
  );
  if (segments.length < 2) return null;
  const sure = (one) => (one.predictions?.length ? percent(one.predictions[0].probability) : "");
  const rows = segments.map((one) => [
    `${seconds(one.start_s)} to ${seconds(one.end_s)}`,
    said(one),
    ...(one.values ? [] : [sure(one)]),
  ]);
  const heads = segments[0].values ? ["window", "value"] : ["window", "class", "probability"];
  return h(
    "details",
    {},
    h("summary", {}, `${segments.length} windows`),
    table("Windows", heads, rows),
  );
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
