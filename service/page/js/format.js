// Numbers as people read them.

export function percent(share) {
  if (share > 0 && share < 0.0005) return "< 0.1%";
  return `${(share * 100).toFixed(share >= 0.9995 || share === 0 ? 0 : 1)}%`;
}

export const ms = (value) =>
  (value < 10 ? value.toFixed(1) : Math.round(value).toLocaleString("en")) + " ms";

export const seconds = (value) => `${value.toFixed(value < 10 ? 2 : 1)} s`;

export const count = (value) => value.toLocaleString("en");

/** 118147360 becomes 118 M. */
export function short(value) {
  if (value === null || value === undefined) return "unknown";
  const [unit, size] = [
    ["G", 1e9],
    ["M", 1e6],
    ["k", 1e3],
  ].find(([, size]) => value >= size) ?? ["", 1];
  const amount = value / size;
  return `${amount >= 100 || size === 1 ? Math.round(amount) : amount.toPrecision(3)}${unit ? ` ${unit}` : ""}`;
}

/** Four digits, whatever the size. */
export function figure(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "none";
  if (value === 0) return "0";
  const size = Math.abs(value);
  return size >= 1e5 || size < 1e-3 ? value.toExponential(2) : String(Number(value.toPrecision(4)));
}

/** A quantity with its unit: 157.6 BPM. */
export const measured = ({ value, unit }) => `${figure(value)} ${unit}`;

export const volume = (shape) => shape.join(" × ");
