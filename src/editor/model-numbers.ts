/** Such as `135 M`. */
export function formatCount(count: number): string {
  for (const [unit, size] of [
    ['B', 1e9],
    ['M', 1e6],
    ['k', 1e3],
  ] as const) {
    if (count >= size) {
      return `${(count / size).toPrecision(3)} ${unit}`;
    }
  }
  return String(count);
}

/** Such as `68.2 MB`. */
export function formatBytes(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(2)} GB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
