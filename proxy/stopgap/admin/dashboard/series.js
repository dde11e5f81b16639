// What do the counters over time say? Sums and rows of what `/series` told.

/** The columns of a kind whose word is wanted, added up time by time. */
export function row(told, kind, words, name) {
  const sums = new Array(told.times.length).fill(0);
  for (const { of, counts } of told.columns) {
    if (of[0] !== kind || (words && !words.includes(of[2])) || (name !== undefined && of[1] !== name))
      continue;
    for (let at = 0; at < counts.length; at += 1) sums[at] += counts[at];
  }
  return sums;
}

/** How often each name of a kind was counted in the whole span, the most first. */
export function totals(told, kind, words) {
  const sums = new Map();
  for (const { of, counts } of told.columns) {
    if (of[0] !== kind || !words.includes(of[2])) continue;
    sums.set(of[1], (sums.get(of[1]) ?? 0) + counts.reduce((sum, count) => sum + count, 0));
  }
  return [...sums].filter(([, count]) => count).sort((one, other) => other[1] - one[1]);
}

export const sum = (counts) => counts.reduce((total, count) => total + count, 0);

/** The time (seconds) within which this share of the last `samples` requests was answered; null for none. */
export function percentile(told, share, samples) {
  const buckets = new Map();
  for (const { of, counts } of told.columns) {
    if (of[0] === "seconds") buckets.set(Number(of[1]), sum(counts.slice(-samples)));
  }
  const all = sum([...buckets.values()]);
  if (!all) return null;
  let below = 0;
  for (const place of [...buckets.keys()].sort((one, other) => one - other)) {
    below += buckets.get(place);
    if (below >= all * share) return told.bounds[Math.min(place, told.bounds.length - 1)];
  }
  return null;
}
