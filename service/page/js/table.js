// The table of a model's layers.

import { recall } from "./server.js";

/** Return {layers, totals, sample_rate_hz}. */
export async function layersOf(ready, version, signal) {
  const question = { path: `v1/models/${ready.name}/layers`, parameters: { version } };
  return (await recall(question, "json", signal)).data;
}
