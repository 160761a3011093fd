() => {
  const source = { date: new Date(0), map: new Map([[1, { a: 1 }]]), set: new Set(['x']), bytes: new Uint8Array([1, 2]), re: /x/g, big: 5n };
  source.self = source;
  const copy = structuredClone(source);
  let failed;
  try { structuredClone(() => 1); } catch (error) { failed = [error.name, error instanceof DOMException]; }
  return {
    different: copy !== source && copy.map !== source.map, cycle: copy.self === copy, date: copy.date.toISOString(),
    map: copy.map.get(1).a, set: copy.set.has('x'), bytes: Array.from(copy.bytes), re: String(copy.re), big: String(copy.big), failed,
  };
}
