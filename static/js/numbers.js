/* Numbers as people read them. */

const SUPERSCRIPTS = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };

/** 2.31 × 10⁻⁵; plain where that is short. */
export function scientific(value) {
  if (value === 0) return "0";
  const [mantissa, exponent] = value.toExponential(2).split("e");
  const power = Number(exponent);
  if (power >= -3 && power <= 2) return String(Number(value.toPrecision(3))).replace("-", "−");
  return `${mantissa.replace("-", "−")} × 10${[...String(power)].map((c) => SUPERSCRIPTS[c]).join("")}`;
}

/** +0.123 or −0.123. */
export function signed(value) {
  return (value < 0 ? "−" : "+") + Math.abs(value).toFixed(3);
}

/** Whole per cent; 100 is left to the very largest. */
export function wholePercent(value) {
  return String(value > 99 && value < 100 ? 99 : Math.round(value));
}
