// Two models or versions on the file at hand: what each says, and where they part.

import { actions, fileName } from "./actions.js";
import { announce, h } from "./dom.js";
import { bars } from "./bars.js";
import { figure, percent } from "./format.js";
import { takes } from "./models.js";
import { recall } from "./server.js";

/** models: the Models of the page, which knows what else can be asked. */
export const compareView = (models) => ({
  name: "compare",
  title: "Compare",
  hint: "With another model or version",
  open: (body, store) => ({ refresh: (signal) => refresh(body, store, models, signal) }),
});

async function refresh(body, store, models, signal) {
  const { given, ready, start } = store.all;
  const own = `${ready.name}@${ready.version}`;
  const others = models.all
    .filter((one) => one.ready.task === ready.task)
    .map((one) => `${one.model}@${one.version}`)
    .filter((name) => name !== own);
  if (!others.length)
    return body.replaceChildren(
      h(
        "p",
        {},
        "There is no other model or version for this task. Put a second version beside it, such as an INT8 twin, to compare the two.",
      ),
    );
  if (!given || takes(ready) !== given.kind)
    return body.replaceChildren(
      h("p", { class: "muted" }, "Give it a file, or take a sample, to compare."),
    );
  const other = others.includes(store.get("other"))
    ? store.get("other")
    : (others.find((name) => name.startsWith(`${ready.name}@`)) ?? others[0]);
  const result = h("div", { class: "stack" });
  const choice = h(
    "label",
    {},
    `${own} with`,
    h(
      "select",
      { on: { change: (event) => store.set({ other: event.target.value }) } },
      others.map((name) => h("option", { value: name, selected: name === other }, name)),
    ),
  );
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
  if (!layers.length)
    return h(
      "p",
      { class: "muted" },
      `No layer of one matches a layer of the other; ${unmatched.length} were left over.`,
    );
  const most = Math.max(...layers.map((one) => one.relative_difference ?? 0), 1e-12);
  const rows = layers.map((one) =>
    h(
      "tr",
      { title: one.layer === one.other_layer ? one.layer : `${one.layer} and ${one.other_layer}` },
      h("td", { class: "path" }, one.layer),
      h(
        "td",
        { class: "wide" },
        h(
          "span",
          { class: "track", "aria-hidden": "true" },
          h("span", { class: "fill", style: { "--share": (one.relative_difference ?? 0) / most } }),
        ),
      ),
      h("td", {}, one.relative_difference === null ? "none" : percent(one.relative_difference)),
      h("td", {}, figure(one.cosine)),
    ),
  );
  return h(
    "section",
    { class: "stack tight", "aria-label": "Layers" },
    h("h3", {}, "Layer by layer"),
    h("p", { class: "muted" }, `${layers.length} layers match, ${unmatched.length} do not.`),
    h(
      "div",
      {
        class: "scroll tall",
        tabindex: 0,
        role: "region",
        "aria-label": "Differences of the layers",
      },
      h(
        "table",
        { class: "depth" },
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            ["layer", "beside the largest", "relative difference", "cosine"].map((name) =>
              h("th", { scope: "col" }, name),
            ),
          ),
        ),
        h("tbody", {}, rows),
      ),
    ),
  );
}
