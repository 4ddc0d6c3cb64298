// Numbers as colours, as the server's own pictures have them.

const STEPS = 256;
// Every 16th colour of viridis (S. van der Walt, N. Smith, CC0).
const AMOUNT =
  "440154 48186a 472d7b 424086 3b528b 33638d 2c728e 26828e 21918c 1fa088 28ae80 3fbc73 5ec962 84d44b addc30 d8e219 fde725";
// ColorBrewer RdBu reversed (C. Brewer, Apache 2.0): blue below zero, red above.
const SIGNED = "2166ac 4393c3 92c5de d1e5f0 f7f7f7 fddbc7 f4a582 d6604d b2182b";
// Every 16th colour of magma (S. van der Walt, N. Smith, CC0).
const MAGMA =
  "000004 0b0924 20114b 3b0f70 57157e 721f81 8c2981 a8327d c43c75 de4968 f1605d fa7f5e fe9f6d febf84 fddea0 fcfdbf";
const GRAY = "000000 ffffff";
const NON_FINITE = pack(255, 0, 200);
const TABLES = {
  viridis: table(AMOUNT),
  magma: table(MAGMA),
  gray: table(GRAY),
  "blue-red": table(SIGNED),
};

function pack(red, green, blue) {
  return (255 << 24) | (blue << 16) | (green << 8) | red;
}

function table(anchors) {
  const colors = anchors
    .split(" ")
    .map((color) => [0, 2, 4].map((at) => parseInt(color.slice(at, at + 2), 16)));
  return Uint32Array.from({ length: STEPS + 1 }, (_, step) => {
    const place = (step / STEPS) * (colors.length - 1);
    const below = Math.min(Math.floor(place), colors.length - 2);
    return pack(
      ...colors[below].map((low, i) =>
        Math.round(low + (colors[below + 1][i] - low) * (place - below)),
      ),
    );
  });
}

/** Return {low, high} of the finite values from `start` on. */
export function rangeOf(values, start = 0, length = values.length) {
  let [low, high] = [Infinity, -Infinity];
  for (let i = start; i < start + length; i++) {
    const value = values[i];
    if (!Number.isFinite(value)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low > high ? { low: 0, high: 0 } : { low, high };
}

/** The names of the maps, as the server has them; auto is blue-red where there is less than zero. */
export const MAPS = ["auto", ...Object.keys(TABLES)];

/** Return what the ends of the colours stand for, in one of MAPS. */
export function scaleOf({ low, high }, map = "auto") {
  const signed = map === "blue-red" || (map === "auto" && low < 0);
  const end = Math.max(Math.abs(low), Math.abs(high));
  const name = map === "auto" ? (signed ? "blue-red" : "viridis") : map;
  return signed
    ? { low: -end, high: end, table: TABLES[name] }
    : { low, high, table: TABLES[name] };
}

/** Return the packed colour of a value. */
export function colorOf(value, { low, high, table }) {
  if (!Number.isFinite(value)) return NON_FINITE;
  const share = high > low ? (value - low) / (high - low) : 0;
  return table[Math.round(Math.min(Math.max(share, 0), 1) * STEPS)];
}

/** Paint rows x columns values from `start` on into a canvas of that size; flip puts row 0 below. */
export function paint(canvas, { values, start = 0, rows, columns, scale, flip = false }) {
  canvas.width = columns;
  canvas.height = rows;
  const pixels = new Uint32Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    const from = start + (flip ? rows - 1 - row : row) * columns;
    for (let column = 0; column < columns; column++) {
      pixels[row * columns + column] = colorOf(values[from + column], scale);
    }
  }
  const image = new ImageData(new Uint8ClampedArray(pixels.buffer), columns, rows);
  canvas.getContext("2d").putImageData(image, 0, 0);
}

/** Paint the scale itself, from low to high. */
export function paintScale(canvas, scale) {
  const values = Float32Array.from(
    { length: 64 },
    (_, i) => scale.low + ((scale.high - scale.low) * i) / 63,
  );
  const shown = scale.high > scale.low ? scale : { ...scale, high: scale.low + 1 };
  paint(canvas, { values, rows: 1, columns: 64, scale: shown });
}
