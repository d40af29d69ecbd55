/** The look of the picture: the settings of a visitor, with their limits and defaults. */

/** Numbers: [default, least, greatest]. */
const NUMBERS = {
  density: [1, 0.1, 12],
  offset: [0, 0, 1],
  equalise: [0.25, 0, 1],
  slope: [0.3, 0, 1],
  edges: [0.25, 0, 1],
  iterations: [0, 0, 8], // number of times that maxiter is multiplied by 4
};
const CHOICES = { inside: ["plain", "period"], antialias: ["on", "off"] };

/** @typedef {Record<string, string | number>} Look */

export class Looks {
  /** @param {string[]} palettes @param {string[]} fields the first of each is the default */
  constructor(palettes, fields) {
    this.choices = { palette: palettes, field: fields, ...CHOICES };
    this.numbers = NUMBERS;
  }

  /** @returns {Look} */
  get standard() {
    const numbers = Object.entries(this.numbers).map(([name, [value]]) => [name, value]);
    const choices = Object.entries(this.choices).map(([name, [value]]) => [name, value]);
    return Object.fromEntries([...choices, ...numbers]);
  }

  /**
   * Read the look in a link.
   *
   * @param {Record<string, string>} written
   * @returns {{look: Look, problems: string[]}}
   */
  read(written) {
    const look = this.standard;
    const problems = [];
    for (const [name, text] of Object.entries(written)) {
      const value = this.#value(name, text);
      if (value === undefined) problems.push(`“${name}=${text.slice(0, 40)}”`);
      else look[name] = value;
    }
    return { look, problems };
  }

  /** The settings that differ from the defaults, as text. */
  write(look) {
    const { standard } = this;
    return Object.fromEntries(Object.entries(look).filter(([name, value]) => value !== standard[name]));
  }

  #value(name, text) {
    if (Object.hasOwn(this.choices, name)) return this.choices[name].includes(text) ? text : undefined;
    if (!Object.hasOwn(this.numbers, name) || text.trim() === "") return undefined;
    const [, least, greatest] = this.numbers[name];
    const value = Number(text);
    return value >= least && value <= greatest ? value : undefined;
  }
}
