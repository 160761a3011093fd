() => {
  console.log('plain', 1, true, null, undefined, 10n, Symbol('s'));
  console.info({ a: 1, b: 'two', c: [1, 2, { d: { e: { f: 1 } } }] });
  console.warn([1, 'a', [2]], new Map([['k', { v: 1 }]]), new Set([1, 'x']));
  console.error(new Date(0), /re/g, new Uint8Array(3), new ArrayBuffer(2));
  console['debug'](() => 1, function named() {}, class Thing {}, -0, NaN);
  console.log('%s is %d years and %i, %j %%', 'Ann', 42.5, 42.5, { a: 1 }, 'rest');
  console.log('line one\nline two\r\u001b[31mred\u202e');
  const cycle = { name: 'c' }; cycle.self = cycle;
  console.log(cycle, Object.create(null), new (class Point { x = 1; })());
  console.log({ get trap() { throw new Error('never called'); } });
  console.log(Array.from({ length: 120 }, (_, i) => i));
  console.assert(1 === 2, 'math', 1);
  console.assert(true, 'silent');
  console.log();
}
