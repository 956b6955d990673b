/** Finds any of these texts, the longest where several begin at one place. */
export function anyOf(texts: readonly string[]): RegExp {
  const longestFirst = [...texts].sort((a, b) => b.length - a.length);
  // Of nothing, what is found nowhere.
  const alternatives = longestFirst.map((text) => text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')).join('|') || '(?!)';
  return new RegExp(alternatives, 'g');
}
