/** How the panel writes numbers. Nothing is rounded to a value it does not have, such as "0.00 %" or "100 %". */

const NARROW_SPACE = '\u202f';
const counts = new Intl.NumberFormat('en-US');

/** Whole numbers with thousands separators. */
export function formatCount(count: number): string {
  return counts.format(count);
}

/** "1 token", "43 tokens". */
export function formatQuantity(count: number, singular: string, plural = `${singular}s`): string {
  return `${formatCount(count)} ${count === 1 ? singular : plural}`;
}

/** A probability 0–1 in percent, three significant digits; only exactly 0 and 1 read as such. */
export function formatPercent(probability: number): string {
  return `${percentDigits(probability)}${NARROW_SPACE}%`;
}

function percentDigits(probability: number): string {
  const percent = probability * 100;
  if (probability === 0 || probability === 1 || Number.isNaN(probability)) {
    return String(percent);
  }
  if (percent >= 99.95) {
    // As many nines as it takes to stay below 100.
    const digits = [1, 2, 3, 4, 5, 6].find((count) => Number(percent.toFixed(count)) < 100);
    return digits === undefined ? '>99.9999' : percent.toFixed(digits);
  }
  if (percent >= 9.995) {
    return percent.toFixed(1);
  }
  if (percent >= 0.0995) {
    return percent.toFixed(2);
  }
  if (percent >= 0.00095) {
    return percent.toPrecision(2);
  }
  return scientific(percent);
}

const SUPERSCRIPTS = '⁰¹²³⁴⁵⁶⁷⁸⁹';

function scientific(value: number): string {
  const [mantissa, exponent] = value.toExponential(1).split('e');
  const sign = exponent.startsWith('-') ? '⁻' : '';
  const digits = [...exponent.replace(/[+-]/, '')].map((digit) => SUPERSCRIPTS[Number(digit)]).join('');
  return `${mantissa}·10${sign}${digits}`;
}

/** An attention weight 0–1 with three decimals; what would read 0.000 or 1.000 without being it says so. */
export function formatWeight(weight: number): string {
  if (weight > 0 && weight < 0.0005) {
    return '<0.001';
  }
  if (weight < 1 && weight >= 0.9995) {
    return '>0.999';
  }
  return weight.toFixed(3);
}

/** Any other number, with a sign where it is negative and three digits that count; only exactly 0 reads as such. */
export function formatNumber(value: number): string {
  const magnitude = Math.abs(value);
  const text =
    magnitude >= 1000
      ? formatCount(Math.round(magnitude))
      : magnitude >= 100
        ? magnitude.toFixed(0)
        : magnitude >= 10
          ? magnitude.toFixed(1)
          : magnitude >= 0.01 || magnitude === 0
            ? magnitude.toFixed(2)
            : magnitude >= 0.0001
              ? magnitude.toPrecision(1)
              : scientific(magnitude);
  return `${value < 0 ? '−' : ''}${text}`;
}

/** A statistic 0–1 with two decimals; NaN where it is not defined. */
export function formatShare(share: number): string {
  return Number.isNaN(share) ? '–' : share.toFixed(2);
}

/** Surprisal or entropy in bits, without the unit. */
export function formatBits(bits: number): string {
  if (bits > 0 && bits < 0.05) {
    return bits < 0.005 ? '<0.01' : bits.toFixed(2);
  }
  return bits.toFixed(1);
}

/** Bytes as upper-case hex pairs. */
export function formatBytes(bytes: readonly number[]): string {
  return bytes.map((byte) => byte.toString(16).toUpperCase().padStart(2, '0')).join(' ');
}
