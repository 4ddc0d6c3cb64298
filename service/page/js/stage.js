// Where the file at hand is shown, and what views lay over it.

import { Picture } from "./picture.js";
import { Recording } from "./recording.js";

export class Stage {
  #element;
  #shown = null;

  constructor(element) {
    this.#element = element;
  }

  /** Show a file; what lay over the last one is gone. */
  show(given) {
    this.#shown?.release();
    this.#shown = given.kind === "sound" ? new Recording(given) : new Picture(given);
    this.#element.dataset.kind = given.kind;
    this.#element.replaceChildren(this.#shown.element);
  }

  /** The Picture or the Recording, or null. */
  get shown() {
    return this.#shown;
  }

  /** Take away what views have laid over it. */
  clear() {
    this.#shown?.clear();
  }
}
