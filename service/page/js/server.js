// Questions to the server that the page came from, wherever it is mounted.

import { askForKey, key } from "./key.js";

const BASE = new URL(".", document.baseURI.split("#")[0]);
const KEPT = 24;
const kept = new Map();

/** What the server, or the way to it, says is wrong. */
export class Problem extends Error {
  constructor({ title, detail, status = 0, nearest = [], request_id = null }) {
    super(detail);
    Object.assign(this, { title, detail, status, nearest, request: request_id });
  }
}

/** Return the whole address of a path such as v1/models with these parameters. */
export function address(path, parameters = {}) {
  const url = new URL(path, BASE);
  for (const [name, value] of Object.entries(parameters)) {
    for (const one of [value].flat()) {
      if (one !== null && one !== undefined && one !== "") url.searchParams.append(name, one);
    }
  }
  // commas, slashes and stars mean themselves in a query, and are easier to read in a command
  url.search = url.search.replaceAll("%2C", ",").replaceAll("%2F", "/").replaceAll("%3A", ":");
  return url.href;
}

/** Ask; the question is {path, parameters, body, accept}. Throws Problem, or what aborting throws. */
export async function ask({ path, parameters, body = null, accept = "application/json" }, signal) {
  const url = address(path, parameters);
  for (;;) {
    const headers = { accept };
    if (key()) headers.authorization = `Bearer ${key()}`;
    let answer;
    try {
      answer = await fetch(url, { method: body ? "POST" : "GET", body, headers, signal });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Problem({
        title: "No answer",
        detail: "The server cannot be reached. Is it still running?",
      });
    }
    if (answer.ok) return answer;
    const problem = await problemOf(answer);
    if (problem.status !== 401 || !(await askForKey(problem.detail))) throw problem;
  }
}

async function problemOf(answer) {
  try {
    return new Problem({ ...(await answer.json()), status: answer.status });
  } catch {
    const detail = `The answer has status ${answer.status} and does not say why.`;
    return new Problem({
      title: answer.statusText || "Something is wrong",
      detail,
      status: answer.status,
    });
  }
}

/** Ask as `ask` does, unless the same was asked of the same file lately; returns {data, tookMs}. */
export async function recall(question, as, signal) {
  const name = [
    address(question.path, question.parameters),
    question.accept,
    as,
    question.file ?? "",
  ].join(" ");
  if (kept.has(name)) {
    const found = kept.get(name);
    kept.delete(name);
    kept.set(name, found);
    return found;
  }
  const begun = performance.now();
  const data = await (await ask(question, signal))[as]();
  const found = { data, tookMs: performance.now() - begun };
  kept.set(name, found);
  if (kept.size > KEPT) kept.delete(kept.keys().next().value);
  return found;
}
