import assert from "node:assert/strict";
import { test } from "node:test";
import {
  dyadicText,
  exponential,
  log2,
  magnitude,
  parse,
  parsePoint,
  powerOfTwo,
  rational,
  spelled,
  toFixed,
  toScientific,
} from "../../../mandeldask/web/viewer/numbers/rationals.js";

const same = (a, b) => a.p * b.q === b.p * a.q;

test("numbers are read exactly", () => {
  assert.ok(same(parse("-0.375"), rational(-3n, 8n)));
  assert.ok(same(parse("1e-300"), rational(1n, 10n ** 300n)));
  assert.ok(same(parse("22/7"), rational(22n, 7n)));
  assert.ok(same(parse("−.5"), rational(-1n, 2n)));
  for (const text of ["", "x", "1/0", "--1", "1e999999", "0x10", "9".repeat(30_000)]) assert.throws(() => parse(text));
});

test("points are read as people write them", () => {
  for (const text of ["-0.75+0.1i", "-0.75 + 0.1 i", "(-0.75+0.1j)", "−0.75+0.1i"]) {
    const { re, im } = parsePoint(text);
    assert.ok(same(re, rational(-3n, 4n)) && same(im, rational(1n, 10n)), text);
  }
  assert.throws(() => parsePoint("somewhere"));
});

test("decimals round to nearest", () => {
  assert.equal(toFixed(parse("0.000999951"), 6), "0.001000");
  assert.equal(toFixed(parse("-2.5"), 0), "-2");
  assert.equal(toScientific(parse("9.9999999e-5"), 5), "1.0000e-4");
  assert.equal(magnitude(parse("0.00999")), -3);
});

test("logarithms of numbers that no float holds", () => {
  assert.equal(log2(powerOfTwo(-3400)), -3400);
  assert.ok(Math.abs(log2(parse("1e-1000")) + 1000 * Math.log2(10)) < 1e-9);
  for (const exponent of [-3321.4, -1.5, 0, 7.25]) assert.ok(Math.abs(log2(exponential(exponent)) - exponent) < 1e-12);
});

test("dyadic numbers are spelled as the server spells them", () => {
  const spelled = [
    [[0n, 5], "0"],
    [[-3n, 3], "-0.375"],
    [[8n, 3], "1"],
    [[1n, 30], "9.31322574615478515625e-10"],
    [[-5n, 4], "-0.3125"],
    [[12n, 0], "12"],
  ];
  for (const [[m, k], text] of spelled) assert.equal(dyadicText(m, k), text);
});

test("any number is spelled as the server spells it", () => {
  const texts = {
    "-0.375": "-0.375",
    "1/3": "1r3",
    "2/6": "1r3",
    0: "0",
    "-7/2": "-3.5",
    "1e-20": "1e-20",
    0.156: "0.156",
    40: "40",
  };
  for (const [text, expected] of Object.entries(texts)) assert.equal(spelled(parse(text)), expected);
});
