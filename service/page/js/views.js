// The tabs, and the view that is open.

import { answerView } from "./answer.js";
import { compareView } from "./compare.js";
import { by, h } from "./dom.js";
import { explainView } from "./explain.js";
import { kernelsView } from "./kernels.js";
import { layersView } from "./layers.js";
import { showProblem } from "./problem.js";
import { stabilityView } from "./stability.js";

// What views show; the model and the sample come as `ready` and `given`.
const WATCHED = [
  "given",
  "ready",
  "layer",
  "channel",
  "cell",
  "start",
  "map",
  "method",
  "class",
  "at",
  "other",
];

export class Views {
  #store;
  #stage;
  #views;
  #panels = new Map();
  #open = null;

  constructor(store, stage, models) {
    this.#views = [
      answerView,
      layersView,
      explainView,
      stabilityView,
      compareView(models),
      kernelsView,
    ];
    this.#store = store;
    this.#stage = stage;
  }

  /** Show the tabs and the view that the address names. */
  open() {
    if (!this.#panels.size) {
      this.#build();
      this.#store.on(["view"], () => this.#turn());
      this.#store.on(WATCHED, (changed) =>
        changed.has("ready") ? this.#turn() : this.#refresh(changed),
      );
    }
    this.#turn();
  }

  #build() {
    for (const view of this.#views) {
      const body = h("div", { class: "body" });
      const panel = h(
        "div",
        {
          role: "tabpanel",
          id: `view-${view.name}`,
          "aria-labelledby": `tab-${view.name}`,
          class: "view",
          hidden: true,
        },
        body,
      );
      const tab = h(
        "button",
        {
          type: "button",
          role: "tab",
          id: `tab-${view.name}`,
          "aria-controls": panel.id,
          title: view.hint,
        },
        view.title,
      );
      this.#panels.set(view.name, { view, panel, body, tab, page: null, work: null });
    }
    const all = [...this.#panels.values()];
    by("tabs").replaceChildren(...all.map(({ tab }) => tab));
    by("views").replaceChildren(...all.map(({ panel }) => panel));
    by("tabs").addEventListener("click", (event) => {
      const name = event.target.closest("[role=tab]")?.id.slice(4);
      if (name) this.#store.set({ view: name });
    });
    by("tabs").addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const shown = all.filter(({ tab }) => !tab.hidden);
      const here = shown.findIndex(({ tab }) => tab === document.activeElement);
      const next = shown[(here + step + shown.length) % shown.length];
      this.#store.set({ view: next.view.name });
      next.tab.focus();
    });
  }

  #turn() {
    const ready = this.#store.get("ready");
    const suits = (view) => view.suits?.(ready) ?? true;
    const wanted = this.#panels.get(this.#store.get("view"))?.view;
    const { name } = wanted && suits(wanted) ? wanted : this.#views[0];
    this.#open?.work?.abort();
    this.#stage.clear();
    for (const one of this.#panels.values()) {
      const open = one.view.name === name;
      one.panel.hidden = !open;
      one.tab.hidden = !suits(one.view);
      one.tab.setAttribute("aria-selected", String(open));
      one.tab.tabIndex = open ? 0 : -1;
      if (open) this.#open = one;
    }
    this.#refresh(new Set(["view"]));
  }

  /** Have the open view show what is chosen now; what it was still working on is given up. */
  async #refresh(changed) {
    const one = this.#open;
    if (changed.has("given") || changed.has("ready")) this.#stage.clear();
    one.work?.abort();
    const work = (one.work = new AbortController());
    one.page ??= one.view.open(one.body, this.#store, this.#stage);
    one.panel.setAttribute("aria-busy", "true");
    try {
      await one.page.refresh(work.signal, changed);
    } catch (problem) {
      if (work.signal.aborted) return;
      one.page = null;
      showProblem(one.body, problem, () => this.#refresh(new Set(["view"])));
    } finally {
      if (one.work === work) one.panel.setAttribute("aria-busy", "false");
    }
  }
}
