// Does an address belong to a network?

/** An address as [bits, number], or null. */
function parsed(text) {
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(text)) {
    return [32, text.split(".").reduce((sum, part) => sum * 256n + BigInt(part), 0n)];
  }
  if (!text.includes(":") || !/^[0-9a-f:.]+$/i.test(text)) return null;
  const [left, right] = text.split("::").map((side) => (side ? side.split(":") : []));
  const missing = right === undefined ? 0 : 8 - left.length - right.length;
  const parts = [...left, ...Array(Math.max(0, missing)).fill("0"), ...(right ?? [])];
  if (parts.length !== 8 || parts.some((part) => !/^[0-9a-f]{1,4}$/i.test(part))) return null;
  return [128, parts.reduce((sum, part) => sum * 65536n + BigInt(`0x${part}`), 0n)];
}

/** A function that says whether an address lies in `192.0.2.0/24`, or null where that is no network. */
export function network(text) {
  const [base, length] = text.split("/");
  const known = parsed(base);
  if (!known || !/^\d{1,3}$/.test(length ?? "") || Number(length) > known[0]) return null;
  const shift = BigInt(known[0] - Number(length));
  const seen = new Map();
  return (address) => {
    let inside = seen.get(address);
    if (inside === undefined) {
      const one = parsed(address.startsWith("::ffff:") && known[0] === 32 ? address.slice(7) : address);
      inside = one !== null && one[0] === known[0] && one[1] >> shift === known[1] >> shift;
      if (seen.size > 100000) seen.clear();
      seen.set(address, inside);
    }
    return inside;
  };
}
