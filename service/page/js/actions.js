// What can be taken away from a view: the command that gives the same, and files.

import { announce, h } from "./dom.js";
import { sourceOf } from "./given.js";
import { showProblem } from "./problem.js";
import { address, ask } from "./server.js";
import { key } from "./key.js";

/** Return the command that asks the same; the key itself is not in it. */
export function curlOf({ path, parameters, body, accept }, given, output) {
  const source = body ? sourceOf(given) : { before: "", data: "" };
  const parts = [`${source.before}curl`, source.data];
  if (accept && accept !== "*/*") parts.push(`-H 'Accept: ${accept}'`);
  if (key()) parts.push('-H "Authorization: Bearer $CONVSCOPE_KEY"');
  if (output) parts.push(`-o ${output}`);
  parts.push(`'${address(path, parameters)}'`);
  return parts.filter(Boolean).join(" ");
}

/**
 * Return a bar of buttons and the command.
 * question: {path, parameters, body, accept}; saves: [{label, name, question}].
 */
export function actions(question, given, saves) {
  const command = curlOf(question, given);
  const copy = h(
    "button",
    { type: "button", class: "quiet", on: { click: () => copied(copy, command) } },
    "Copy curl",
  );
  const trouble = h("div");
  const buttons = saves.map(({ label, name, question: wanted }) => {
    const button = h(
      "button",
      { type: "button", class: "quiet", on: { click: () => save(button, name, wanted, trouble) } },
      label,
    );
    return button;
  });
  return h(
    "footer",
    { class: "actions" },
    h("div", { class: "row" }, copy, buttons),
    h(
      "details",
      {},
      h("summary", {}, "The command"),
      h("pre", { tabindex: 0 }, h("code", {}, command)),
    ),
    trouble,
  );
}

async function copied(button, text) {
  await navigator.clipboard.writeText(text);
  button.textContent = "Copied";
  announce("The command is copied.");
  setTimeout(() => (button.textContent = "Copy curl"), 2000);
}

async function save(button, name, question, trouble) {
  button.disabled = true;
  trouble.replaceChildren();
  try {
    const url = URL.createObjectURL(await (await ask(question)).blob());
    h("a", { href: url, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
    announce(`${name} is saved.`);
  } catch (problem) {
    showProblem(trouble, problem, () => save(button, name, question, trouble));
  } finally {
    button.disabled = false;
  }
}

/** Return a name for a file, made of words that have been shown. */
export const fileName = (parts, end) => `${parts.join("-").replaceAll(/[^\w.-]+/g, "_")}.${end}`;
