// How the answer holds while the input is moved, ever further.

import { actions, fileName } from "./actions.js";
import { announce, h } from "./dom.js";
import { lines } from "./chart.js";
import { figure, ms, percent } from "./format.js";
import { hasClasses, takes } from "./models.js";
import { quiet, table } from "./parts.js";
import { recall } from "./server.js";

export const stabilityView = {
  name: "stability",
  title: "Stability",
  hint: "How the answer holds while the input is moved",
  suits: hasClasses,
  open: (body, store) => ({ refresh: (signal) => refresh(body, store, signal) }),
};

async function refresh(body, store, signal) {
  const { given, ready, version, start, class: index } = store.all;
  if (!given || takes(ready) !== given.kind)
    return body.replaceChildren(quiet("Give it a file, or take a sample, to move it about."));
  body.replaceChildren(quiet("The input is being moved, and the model asked again and again…"));
  const question = {
    path: `v1/models/${ready.name}/stability`,
    body: given.blob,
    file: given.id,
    accept: "application/json",
    parameters: { transform: "all", class_index: index, start_s: start, version },
  };
  const { data } = await recall(question, "json", signal);
  signal.throwIfAborted();
  announce(`Stability of ${data.label}: ${consistencies(data.curves)}`);
  const groups = grouped(data.curves);
  const file = (end) => fileName([given.name.replace(/\.\w+$/, ""), ready.name, "stability"], end);
  body.replaceChildren(
    h(
      "p",
      { class: "verdict" },
      "How ",
      h("strong", {}, data.label),
      data.probability === null ? "" : ` (${percent(data.probability)})`,
      " holds while the input is moved",
    ),
    h(
      "div",
      { class: "charts" },
      groups.map(([transform, curves]) => chart(transform, curves)),
    ),
    quiet(`${data.runs} runs in ${ms(data.timing.total_ms)}. Hollow red marks: another answer.`),
    actions({ ...question, accept: "*/*" }, given, [
      { label: "Save PNG", name: file("png"), question: { ...question, accept: "image/png" } },
      { label: "Save JSON", name: file("json"), question },
    ]),
  );
}

function grouped(curves) {
  const groups = new Map();
  for (const curve of curves)
    groups.set(curve.transform, [...(groups.get(curve.transform) ?? []), curve]);
  return [...groups];
}

const consistencies = (curves) =>
  curves
    .map(
      ({ transform, variant, consistency }) =>
        `${transform}${variant ? ` ${variant}` : ""} ${percent(consistency)}`,
    )
    .join(", ");

function chart(transform, curves) {
  const series = curves.map(({ variant, consistency, points }) => ({
    name: `${variant ?? transform}: ${percent(consistency)} the same`,
    points: points.filter(({ probability }) => probability !== null).map(placed),
  }));
  const rows = curves.flatMap(({ variant, points }) =>
    points.map((point) => numbers(variant ?? transform, point)),
  );
  const names = ["move", "amount", "probability", "answer", "same"];
  return h(
    "figure",
    { class: "card" },
    h("figcaption", {}, h("strong", {}, transform), ` in ${curves[0].unit}`),
    lines(series, `${transform}: ${series.map(({ name }) => name).join("; ")}`),
    h("details", {}, h("summary", {}, "Numbers"), table(`${transform}, numbers`, names, rows)),
  );
}

function placed({ amount, probability, agrees, label }) {
  const other = agrees === false || (typeof agrees === "number" && agrees < 0.5);
  const title = `${figure(amount)}: ${label}, ${percent(probability)}`;
  return { x: amount, y: probability, marked: other, title };
}

function numbers(move, { amount, probability, label, agrees }) {
  const same = typeof agrees === "number" ? percent(agrees) : agrees ? "yes" : "no";
  const likely = probability === null ? "none" : percent(probability);
  return [move, figure(amount), likely, label, same];
}
