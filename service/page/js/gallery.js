// The same question asked in several ways, as pictures side by side.

import { h } from "./dom.js";
import { picture } from "./parts.js";
import { showProblem } from "./problem.js";
import { recall } from "./server.js";

/**
 * Return a section that opens on demand, since it asks the model several times.
 * entries: returns [{title, chosen, question, pick}], perhaps later.
 */
export function gallery(title, entries, signal) {
  const grid = h("div", { class: "gallery" });
  const details = h("details", {}, h("summary", {}, title), grid);
  const fill = async () => {
    if (!details.open || grid.hasChildNodes()) return;
    try {
      const wanted = await entries();
      const cards = wanted.map(card);
      grid.replaceChildren(...cards.map(({ element }) => element));
      // one after the other, so that the server has room for others
      for (const [i, { question }] of wanted.entries())
        cards[i].show((await recall(question, "blob", signal)).data);
    } catch (problem) {
      if (!signal.aborted) showProblem(grid, problem, () => (grid.replaceChildren(), fill()));
    }
  };
  details.addEventListener("toggle", fill);
  return details;
}

function card({ title, chosen, pick }) {
  const place = h("span", { class: "place" });
  const element = h(
    "button",
    { type: "button", class: "pick", "aria-pressed": String(chosen), on: { click: pick } },
    place,
    h("span", {}, title),
  );
  const show = (blob) => place.replaceChildren(picture(blob, { alt: "" }));
  return { element, show };
}
