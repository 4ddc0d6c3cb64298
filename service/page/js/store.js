// What is chosen, and who wants to know.

export class Store {
  #values;
  #listeners = [];

  constructor(values) {
    this.#values = { ...values };
  }

  get(name) {
    return this.#values[name];
  }

  get all() {
    return this.#values;
  }

  /** Change some values; those who asked for one that is different now are told once. */
  set(patch) {
    const changed = new Set(
      Object.keys(patch).filter((name) => patch[name] !== this.#values[name]),
    );
    if (!changed.size) return;
    Object.assign(this.#values, patch);
    for (const { names, listener } of this.#listeners) {
      if (names.some((name) => changed.has(name))) listener(changed);
    }
  }

  on(names, listener) {
    this.#listeners.push({ names, listener });
  }
}
