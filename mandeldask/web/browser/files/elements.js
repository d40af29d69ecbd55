/** Elements made of several numbers, complex numbers and structs: zarrita reads them as bytes along one more axis. */

const SIZES = {
  bool: 1,
  int8: 1,
  uint8: 1,
  int16: 2,
  uint16: 2,
  float16: 2,
  int32: 4,
  uint32: 4,
  float32: 4,
  int64: 8,
  uint64: 8,
  float64: 8,
};
const READ = {
  bool: (view, at) => view.getUint8(at),
  int8: (view, at) => view.getInt8(at),
  uint8: (view, at) => view.getUint8(at),
  int16: (view, at, little) => view.getInt16(at, little),
  uint16: (view, at, little) => view.getUint16(at, little),
  float16: (view, at, little) => view.getFloat16(at, little),
  int32: (view, at, little) => view.getInt32(at, little),
  uint32: (view, at, little) => view.getUint32(at, little),
  float32: (view, at, little) => view.getFloat32(at, little),
  int64: (view, at, little) => view.getBigInt64(at, little),
  uint64: (view, at, little) => view.getBigUint64(at, little),
  float64: (view, at, little) => view.getFloat64(at, little),
};

/** Parts of a complex number that can be drawn. */
const COMPLEX = {
  magnitude: (re, im) => Math.hypot(re, im),
  phase: (re, im) => Math.atan2(im, re),
  real: (re) => re,
  imaginary: (_, im) => im,
};

/** The elements of one array: fields with a name, a type and an offset. */
class Elements {
  constructor(size, fields, little, isComplex) {
    this.size = size;
    this.fields = fields;
    this.little = little;
    this.isComplex = isComplex;
    const numbers = fields.filter(({ type }) => type in READ);
    const offered = isComplex ? Object.keys(COMPLEX) : numbers.map(({ name }) => name);
    /** Parts of an element that can be drawn. */
    this.parts = offered.map((name) => ({
      name,
      dtype: isComplex ? fields[0].type : numbers.find((field) => field.name === name).type,
    }));
  }

  /** One part of each element, as numbers. */
  numbers(bytes, part) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const { name } = this.parts[part];
    const found = new Float64Array(bytes.byteLength / this.size);
    const one = this.isComplex ? this.#complex(COMPLEX[name]) : this.#field(name);
    for (let index = 0; index < found.length; index++) found[index] = Number(one(view, index * this.size));
    return found;
  }

  /** The value of a field of one element: a number, or text. */
  value(bytes, index, field) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (!this.isComplex) return this.#field(field)(view, index * this.size);
    const [re, im] = this.fields.map(({ name }) => this.#field(name)(view, index * this.size));
    return `${short(re)} ${im < 0 || Object.is(im, -0) ? "−" : "+"} ${short(Math.abs(im))}i`;
  }

  #complex(part) {
    const [re, im] = this.fields.map(({ name }) => this.#field(name));
    return (view, at) => part(re(view, at), im(view, at));
  }

  #field(wanted) {
    const { type, offset, size } = this.fields.find(({ name }) => name === wanted);
    const read = READ[type];
    if (read) return (view, at) => read(view, at + offset, this.little);
    return (view, at) => textOf(view, at + offset, size, type, this.little);
  }
}

const short = (value) => String(Number(value.toPrecision(7)));

function textOf(view, at, size, type, little) {
  const step = type === "utf32" ? 4 : 1;
  let text = "";
  for (let from = at; from < at + size; from += step) {
    const code = step === 4 ? view.getUint32(from, little) : view.getUint8(from);
    if (code) text += String.fromCodePoint(code);
  }
  return text;
}

/** Return the document of an array for zarrita, and its elements if they are complex numbers or structs. */
export function packedIn(document) {
  const fields = document.node_type === "array" ? fieldsOf(document.data_type) : undefined;
  if (!fields) return undefined;
  const size = fields.reduce((end, field) => Math.max(end, field.offset + field.size), 0);
  const little = littleIn(document.codecs);
  if (little === undefined) return undefined;
  const { configuration, ...grid } = document.chunk_grid;
  const { dimension_names: names } = document;
  const changed = {
    ...document,
    shape: [...document.shape, size],
    data_type: "uint8",
    fill_value: 0,
    chunk_grid: { ...grid, configuration: { ...configuration, chunk_shape: [...configuration.chunk_shape, size] } },
    codecs: document.codecs.map((codec) => asBytes(codec, size)),
    ...(names ? { dimension_names: [...names, "bytes of an element"] } : {}),
  };
  return { document: changed, elements: new Elements(size, fields, little, /^complex/.test(document.data_type)) };
}

function fieldsOf(type) {
  const bits = Number(/^complex(64|128)$/.exec(type)?.[1] ?? 0);
  if (bits) {
    const size = bits / 16;
    return ["real", "imaginary"].map((name, index) => ({ name, type: `float${bits / 2}`, offset: index * size, size }));
  }
  return typeof type === "object" && /^struct/.test(type.name) ? flat(type.configuration.fields, 0, "") : undefined;
}

/** The fields of a struct; fields of inner structs have names with a dot. Undefined if a type is unknown. */
function flat(fields, start, prefix) {
  const found = [];
  let offset = start;
  for (const field of fields) {
    const [name, type] = Array.isArray(field) ? field : [field.name, field.data_type];
    const inner =
      typeof type === "object" && /^struct/.test(type.name)
        ? flat(type.configuration.fields, offset, `${prefix}${name}.`)
        : one(`${prefix}${name}`, type, offset);
    if (!inner) return undefined;
    found.push(...inner);
    offset = Math.max(...inner.map((each) => each.offset + each.size));
  }
  return found;
}

function one(name, type, offset) {
  if (type in SIZES) return [{ name, type, offset, size: SIZES[type] }];
  const size = type?.configuration?.length_bytes;
  const text = { fixed_length_utf32: "utf32", null_terminated_bytes: "bytes" }[type?.name];
  return text && size ? [{ name, type: text, offset, size }] : undefined;
}

/** Whether numbers are little-endian; undefined if codecs rearrange bytes. */
function littleIn(codecs) {
  for (const { name, configuration } of codecs) {
    if (name === "sharding_indexed") return littleIn(configuration.codecs);
    if (name === "bytes") return configuration?.endian !== "big";
  }
  return undefined;
}

function asBytes(codec, size) {
  if (codec.name === "bytes") return { name: "bytes", configuration: { endian: "little" } };
  if (codec.name !== "sharding_indexed") return codec;
  const { chunk_shape: shape, codecs, ...more } = codec.configuration;
  return {
    ...codec,
    configuration: { ...more, chunk_shape: [...shape, size], codecs: codecs.map((each) => asBytes(each, size)) },
  };
}
