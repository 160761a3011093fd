async () => {
  class Counter { #n = 0; next() { return ++this.#n; } static { this.made = true; } }
  const counter = new Counter();
  async function* numbers() { yield 1; yield 2; }
  const seen = [];
  for await (const n of numbers()) seen.push(n);
  return {
    n: [counter.next(), counter.next()], made: Counter.made, seen, big: String(2n ** 64n), group: Object.groupBy([1, 2, 3], (n) => (n % 2 ? 'odd' : 'even')),
    intl: new Intl.NumberFormat('en-US', { style: 'currency', currency: 'USD' }).format(1234.5), zone: new Date(0).getTimezoneOffset(),
    local: new Date(0).toString(), named: Intl.DateTimeFormat().resolvedOptions().timeZone, locale: Intl.DateTimeFormat().resolvedOptions().locale,
    ny: new Date(0).toLocaleString('de-DE', { timeZone: 'America/New_York' }), regex: 'a1b22'.replace(/(?<d>\d+)/gu, '<$<d>>'), hex: new Uint8Array([1, 255]).toHex?.(),
  };
}
