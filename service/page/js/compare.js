// Two models or versions on the file at hand: what each says, and where they part.

import { actions, fileName } from "./actions.js";
import { announce, h } from "./dom.js";
import { bars } from "./bars.js";
import { figure, percent } from "./format.js";
import { hasClasses, takes } from "./models.js";
import { chooser, quiet, table, track } from "./parts.js";
import { recall } from "./server.js";

/** models: the Models of the page, which knows what else can be asked. */
export const compareView = (models) => ({
  name: "compare",
  title: "Compare",
  hint: "With another model or version",
  suits: hasClasses,
  open: (body, store) => ({ refresh: (signal) => refresh(body, store, models, signal) }),
});

const ALONE =
  "There is no other model or version for this task. Put a second version beside it, such as an " +
  "INT8 twin, to compare the two.";

async function refresh(body, store, models, signal) {
  const { given, ready, start } = store.all;
  const own = `${ready.name}@${ready.version}`;
  const others = models.all
    .filter((one) => one.ready.task === ready.task)
    .map((one) => `${one.model}@${one.version}`)
    .filter((name) => name !== own);
  if (!others.length) return body.replaceChildren(quiet(ALONE));
  if (!given || takes(ready) !== given.kind) {
    return body.replaceChildren(quiet("Give it a file, or take a sample, to compare."));
  }
  const sibling = others.find((name) => name.startsWith(`${ready.name}@`)) ?? others[0];
  const other = others.includes(store.get("other")) ? store.get("other") : sibling;
  const names = others.map((name) => [name, name]);
  const choice = chooser(`${own} with`, names, other, (name) => store.set({ other: name }));
  const result = h("div", { class: "stack" });
  body.replaceChildren(h("div", { class: "tools" }, choice), result);
  const question = {
    path: "v1/compare",
    body: given.blob,
    file: given.id,
    accept: "application/json",
    parameters: { model: [own, other], start_s: start },
  };
  const { data } = await recall(question, "json", signal);
  signal.throwIfAborted();
  show(result, data, [own, other]);
  const file = (end) => fileName([given.name.replace(/\.\w+$/, ""), own, other], end);
  result.append(
    actions({ ...question, accept: "*/*" }, given, [
      { label: "Save PNG", name: file("png"), question: { ...question, accept: "image/png" } },
      { label: "Save JSON", name: file("json"), question },
    ]),
  );
}

function show(result, data, names) {
  const strangers = data.agreement === null && data.max_probability_difference === null;
  const verdict = strangers
    ? "They know different classes"
    : data.agree
      ? "They agree"
      : "They disagree";
  const facts = [
    data.agreement !== null && `${percent(data.agreement)} is the same`,
    data.max_probability_difference !== null &&
      `probabilities differ by ${figure(data.max_probability_difference)} at most`,
  ].filter(Boolean);
  announce(`${verdict}. ${facts.join(", ")}`);
  const answers = data.answers.map((answer, i) =>
    h(
      "section",
      { class: "card", "aria-label": names[i] },
      h("h3", {}, names[i]),
      h(
        "p",
        { class: "muted" },
        data.models[i].execution_provider.replace("ExecutionProvider", ""),
      ),
      bars(
        answer.predictions.length
          ? answer.predictions
          : answer.classes.map((one) => ({ label: one.label, probability: one.share })),
      ),
    ),
  );
  result.replaceChildren(
    h(
      "p",
      { class: "verdict" },
      h("strong", {}, verdict),
      facts.length ? h("span", { class: "muted" }, ` · ${facts.join(", ")}`) : "",
    ),
    h("div", { class: "pair" }, answers),
    depth(data),
  );
}

/** How far the layers are from each other, along the depth. */
function depth({ layers, unmatched }) {
  const left = `${unmatched.length} ${unmatched.length === 1 ? "does" : "do"} not`;
  if (!layers.length) return quiet(`No layer of one matches a layer of the other: ${left}.`);
  const most = Math.max(...layers.map((one) => one.relative_difference ?? 0), 1e-12);
  const rows = layers.map(({ layer, other_layer: other, relative_difference: apart, cosine }) => [
    h("span", { class: "path", title: layer === other ? layer : `${layer} and ${other}` }, layer),
    track((apart ?? 0) / most),
    apart === null ? "none" : percent(apart),
    figure(cosine),
  ]);
  const names = ["layer", "beside the largest", "relative difference", "cosine"];
  return h(
    "section",
    { class: "stack tight", "aria-label": "Layers" },
    h("h3", {}, "Layer by layer"),
    quiet(`${layers.length} layers match, ${left}.`),
    table("Differences of the layers", names, rows, "scroll depth"),
  );
}
