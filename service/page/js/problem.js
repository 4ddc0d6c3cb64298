// Errors, told kindly in the place where the answer would be.

import { announce, h } from "./dom.js";

const ADVICE = {
  0: "If you started it yourself, look at its terminal.",
  400: "Choose another file, or take one of the samples.",
  401: "Ask whoever runs this server for a key.",
  404: "It may have been replaced while this page was open: choose again.",
  413: "Choose a smaller file, or raise the limit that it names.",
  415: "Choose another file, or take one of the samples.",
  422: "Choose something else above, or another file.",
  503: "It is busy or still loading: try again in a moment.",
  504: "It took too long: try again, or ask for less.",
};

/** Put what went wrong into the element, with what to do; again is called by the button. */
export function showProblem(element, problem, again) {
  if (!("status" in problem)) {
    console.error(problem);
    problem = {
      title: "This page made a mistake",
      detail: String(problem.message ?? problem),
      status: 500,
      nearest: [],
    };
  }
  const advice = ADVICE[problem.status] ?? "Try again; the server's log has more.";
  element.replaceChildren(
    h(
      "div",
      { class: "problem" },
      h("h3", {}, problem.title),
      h("p", {}, problem.detail),
      h(
        "p",
        { class: "muted" },
        advice,
        problem.request ? ` (request ${problem.request.slice(0, 8)})` : "",
      ),
      h("button", { type: "button", on: { click: again } }, "Try again"),
    ),
  );
  announce(`${problem.title}. ${problem.detail}`);
}
