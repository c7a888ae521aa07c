/** Numbers for people. */

/** Thousands apart by a thin space, which no language reads as a decimal point: 1 234 567. */
export function grouped(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

/** A share of 0 to 1 in percent; what is there is never "0 %", and what is not all never "100 %". */
export function percent(share: number): string {
  if (share === 0) return "0 %";
  if (share < 0.0001) return "< 0.01 %";
  if (share < 1 && share > 0.9999) return "> 99.99 %";
  const value = share * 100;
  return `${decimal(value, value < 10 || value > 99 ? 2 : 1)} %`;
}

/** At most `places` decimals, without trailing zeros. */
export function decimal(value: number, places: number): string {
  const fixed = value.toFixed(places);
  return fixed.includes(".") ? fixed.replace(/\.?0+$/, "") : fixed;
}

/** Three significant digits, and never 1e+5: 0.00123, 12.3, 123 000. */
export function measured(value: number): string {
  if (value === 0) return "0";
  const digits = 2 - Math.floor(Math.log10(Math.abs(value)));
  if (digits <= 0) return grouped(Math.round(value));
  return digits > 9 ? value.toExponential(2) : decimal(value, digits);
}

/** Seconds as "12 ms" or "1.3 s". */
export function duration(seconds: number): string {
  return seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${decimal(seconds, seconds < 10 ? 2 : 1)} s`;
}
