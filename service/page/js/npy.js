// NumPy's .npy format, version 1 to 3: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html

const KINDS = {
  "<f4": Float32Array,
  "<f8": Float64Array,
  "|u1": Uint8Array,
  "<i4": Int32Array,
  "<u2": Uint16Array,
};

/** Return {shape, values} of an array in C order. */
export function readNpy(buffer) {
  const view = new DataView(buffer);
  const wide = view.getUint8(6) > 1;
  const start = wide ? 12 : 10;
  const length = wide ? view.getUint32(8, true) : view.getUint16(8, true);
  const header = new TextDecoder().decode(new Uint8Array(buffer, start, length));
  const kind = KINDS[/'descr': '([^']+)'/.exec(header)?.[1]];
  const shape = /'shape': \(([^)]*)\)/
    .exec(header)?.[1]
    .split(",")
    .filter((size) => size.trim())
    .map(Number);
  if (!kind || !shape || /'fortran_order': True/.test(header))
    throw new Error("This .npy is of a kind that the page cannot read.");
  return { shape, values: new kind(buffer.slice(start + length)) };
}
