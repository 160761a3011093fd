() => {
  class Own extends ArrayBuffer {}
  const own = new Own(8);
  const buffer = new ArrayBuffer(4, {});
  new Uint8Array(buffer).set([1, 2, 3, 4]);
  const attempt = (f) => { try { return f(); } catch (error) { return error.name; } };
  const ways = [
    () => new buffer.constructor(1, { maxByteLength: 2 }),
    () => new (new Uint8Array(1).buffer.constructor)(1, { maxByteLength: 2 }),
    () => new ArrayBuffer[Symbol.species](1, { maxByteLength: 2 }),
    () => Reflect.construct(ArrayBuffer, [1, { get maxByteLength() { return 2; } }], Object),
    () => new Own(1, { maxByteLength: 2 }),
    () => buffer.resize(8),
    () => ArrayBuffer(1),
    () => new ArrayBuffer(-1),
  ];
  return {
    name: ArrayBuffer.name, length: ArrayBuffer.length, parent: Object.getPrototypeOf(ArrayBuffer) === Function.prototype,
    own: [own instanceof Own, own instanceof ArrayBuffer, own.byteLength, own.slice(2) instanceof Own],
    slice: Array.from(new Uint8Array(buffer.slice(1, 3))),
    transfer: [buffer.transfer(8).byteLength, buffer.detached, buffer.resizable],
    view: [ArrayBuffer.isView(new Uint8Array(1)), new Uint8Array(3).buffer instanceof ArrayBuffer],
    clone: structuredClone(new ArrayBuffer(3)).byteLength,
    ways: ways.map(attempt),
  };
}
