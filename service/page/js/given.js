// The picture or the sound at hand: dropped, pasted, chosen, photographed, or a sample.

import { announce, by, h, svg } from "./dom.js";
import { nothingOf, takes } from "./models.js";
import { Problem, address } from "./server.js";
import { showProblem } from "./problem.js";

const SOUNDS = /\.(wav|aiff?|aifc|flac|ogg|oga|opus|mp3)$/i;
const HOME = new URL("../samples/", import.meta.url);
// Places in one file mean nothing in another.
const PLACES = { cell: null, start: null, at: null };
let files = 0;

export class Given {
  #store;
  #stage;
  #models;
  #samples = [];
  #early = null; // given before the models were known

  constructor(store, stage, models) {
    this.#store = store;
    this.#stage = stage;
    this.#models = models;
    this.#listen();
    store.on(["sample"], () => this.#follow());
  }

  /** Show the samples, and take the one that the address names. */
  async load() {
    this.#samples = await (await fetch(new URL("samples.json", HOME))).json();
    this.#listSamples();
    await this.#follow();
    if (this.#early) this.#takeOwn(this.#early);
    this.#early = null;
  }

  #listen() {
    by("choose").addEventListener("click", () => by("file").click());
    by("photograph").addEventListener("click", () => by("camera").click());
    for (const id of ["file", "camera"]) {
      by(id).addEventListener("change", () => this.#takeChosen(by(id)));
      this.#takeChosen(by(id)); // somebody may have been faster than this script
    }
    document.addEventListener("paste", (event) => {
      if (event.clipboardData?.files.length) this.#takeOwn(event.clipboardData.files[0]);
    });
    let inside = 0; // enter and leave come for every element on the way
    const mark = () => document.body.classList.toggle("dropping", inside > 0);
    document.addEventListener("dragenter", () => (inside++, mark()));
    document.addEventListener("dragleave", () => (inside--, mark()));
    document.addEventListener("dragover", (event) => event.preventDefault());
    document.addEventListener("drop", (event) => {
      event.preventDefault();
      inside = 0;
      mark();
      if (event.dataTransfer.files.length) this.#takeOwn(event.dataTransfer.files[0]);
    });
  }

  #takeChosen(input) {
    if (input.files.length) this.#takeOwn(input.files[0]);
    input.value = "";
  }

  #takeOwn(blob) {
    if (!this.#store.get("ready")) {
      this.#early = blob;
      return;
    }
    const sound = blob.type.startsWith("audio/") || SOUNDS.test(blob.name ?? "");
    this.#store.set(PLACES);
    this.#take(
      { blob, name: blob.name || "pasted.png", kind: sound ? "sound" : "image", sample: null },
      [],
    );
  }

  /** Take the sample that the address names; a file of one's own stays when there is none. */
  async #follow() {
    const wanted = this.#store.get("sample");
    const given = this.#store.get("given");
    if (!this.#samples.length || wanted === (given?.sample ?? null)) return;
    const sample = this.#samples.find((one) => one.file === wanted);
    if (!sample) return this.#store.set({ sample: given?.sample ?? null });
    try {
      const answer = await fetch(new URL(sample.file, HOME));
      if (!answer.ok)
        throw new Problem({
          title: "No sample",
          detail: `The sample ${sample.file} is not there.`,
          status: answer.status,
        });
      const blob = await answer.blob();
      this.#take(
        { blob, name: sample.file, kind: sample.kind, sample: sample.file },
        sample.models,
      );
    } catch (problem) {
      showProblem(by("views"), problem, () => this.#follow());
    }
  }

  #take(file, preferred) {
    const ready = this.#store.get("ready");
    const chosen = this.#store.get("model") !== null && takes(ready) === file.kind;
    const model = chosen ? ready.name : (this.#models.taking(file.kind, preferred)[0] ?? null);
    const given = { ...file, id: ++files };
    this.#stage.show(given);
    by("caption").textContent = `${file.name} · ${size(file.blob.size)}`;
    announce(`${file.name} is taken.`);
    const other = ready && model !== ready.name && this.#store.get("model") !== null;
    this.#store.set({
      ...(other ? nothingOf : {}),
      ...(model ? { model } : {}),
      sample: file.sample,
      given,
    });
    this.#listSamples();
  }

  #listSamples() {
    const taken = this.#store.get("given")?.sample ?? null;
    by("samples").replaceChildren(
      ...this.#samples.map((sample) => {
        const picture = sample.thumb
          ? h("img", { src: new URL(sample.thumb, HOME).href, alt: "", width: 56, height: 56 })
          : wave();
        const pressed = String(sample.file === taken);
        const button = h(
          "button",
          {
            type: "button",
            title: `${sample.title} (${sample.credit})`,
            "aria-pressed": pressed,
            on: { click: () => this.#store.set({ ...PLACES, sample: sample.file }) },
          },
          picture,
          h("span", {}, sample.title),
        );
        return h("li", {}, button);
      }),
    );
  }
}

/** Return the command's first half: how the file at hand comes to curl. */
export function sourceOf(given) {
  if (!given) return { before: "", data: "--data-binary @FILE" };
  const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  if (given.sample)
    return {
      before: `curl -s ${quote(address(`page/samples/${given.sample}`))} | `,
      data: "--data-binary @-",
    };
  return { before: "", data: `--data-binary ${quote(`@${given.name}`)}` };
}

function size(bytes) {
  if (bytes < 1e3) return `${bytes} bytes`;
  return bytes < 1e6 ? `${Math.round(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

function wave() {
  const heights = [4, 10, 22, 34, 18, 28, 40, 24, 12, 20, 8, 4];
  const bars = heights.map((height, i) =>
    svg("rect", { x: 5 + i * 4, y: 28 - height / 2, width: 2.4, height, rx: 1.2 }),
  );
  return svg(
    "svg",
    { viewBox: "0 0 56 56", width: 56, height: 56, class: "wave", "aria-hidden": "true" },
    bars,
  );
}
