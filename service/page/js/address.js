// What is chosen is in the address, behind the #, so that it can be shared; files of one's own are not.

// In the order in which they are written.
export const KEYS = [
  "model",
  "version",
  "sample",
  "view",
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
const NUMBERS = new Set(["version", "channel", "start", "class"]);
// Going to another of these is a step that "back" takes back.
const STEPS = ["model", "sample", "view"];

export function read() {
  const written = new URLSearchParams(location.hash.slice(1));
  return Object.fromEntries(
    KEYS.map((name) => {
      const value = written.get(name);
      if (value === null || value === "") return [name, null];
      if (!NUMBERS.has(name)) return [name, value];
      return [name, Number.isFinite(Number(value)) ? Number(value) : null];
    }),
  );
}

export function write(values) {
  const given = KEYS.filter((name) => values[name] !== null && values[name] !== undefined);
  // names of layers are easier to read with their slashes
  const hash = given
    .map((name) => `${name}=${encodeURIComponent(values[name]).replaceAll("%2F", "/")}`)
    .join("&");
  if (hash === location.hash.slice(1)) return;
  const before = read();
  const step =
    location.hash && STEPS.some((name) => (before[name] ?? null) !== (values[name] ?? null));
  history[step ? "pushState" : "replaceState"](null, "", `#${hash}`);
}
