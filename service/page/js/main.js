// The page: what is given on one side, what the model makes of it on the other.

import { KEYS, read, write } from "./address.js";
import { announce, by } from "./dom.js";
import { Given } from "./given.js";
import { Models } from "./models.js";
import { showProblem } from "./problem.js";
import { Stage } from "./stage.js";
import { Store } from "./store.js";
import { Views } from "./views.js";

// `given` is the file at hand; `ready` the version of the model that answers.
const store = new Store({ ...read(), given: null, ready: null });
const stage = new Stage(by("stage"));
const models = new Models(store);
const given = new Given(store, stage, models);
const views = new Views(store, stage, models);

store.on(KEYS, () => write(store.all));
addEventListener("popstate", () => store.set(read()));

by("skip").addEventListener("click", (event) => {
  event.preventDefault();
  by("results").focus();
});

by("share").addEventListener("click", async () => {
  await navigator.clipboard.writeText(location.href);
  const own = store.get("given") && !store.get("sample");
  announce(own ? "Copied. Your own file is not in the link." : "Copied.");
  by("share").textContent = own ? "Copied, without your file" : "Copied";
  setTimeout(() => (by("share").textContent = "Copy link"), 2500);
});

async function start() {
  try {
    await models.load();
    await given.load();
    views.open();
  } catch (problem) {
    showProblem(by("views"), problem, start);
  }
}

start();
