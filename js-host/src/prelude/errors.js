class DOMException extends SafeError {
  #name;
  constructor(message = '', name = 'Error') {
    super(`${message}`);
    this.#name = `${name}`;
  }
  get name() {
    return this.#name;
  }
}
tag(DOMException, 'DOMException');
expose('DOMException', DOMException);

// A constructor, or function, that a setting would have to allow first. `host.deny` throws.
const denied = (what) => {
  const refuse = { [what]: function () { host.deny(what); } }[what];
  return refuse;
};
// Stands for WebAssembly where that is not allowed.
const makeNoWebAssembly = () => {
  const names = ['compile', 'instantiate', 'compileStreaming', 'instantiateStreaming', 'Module', 'Instance', 'Memory', 'Table',
    'Global', 'Tag', 'Exception'];
  const noWebAssembly = {};
  for (let at = 0; at < names.length; at += 1) {
    hidden(noWebAssembly, names[at], denied(`WebAssembly.${names[at]}`));
  }
  hidden(noWebAssembly, 'validate', function validate() { return false; });
  reflectDefine(noWebAssembly, SymbolToStringTag, { __proto__: null, value: 'WebAssembly', configurable: true });
  return noWebAssembly;
};
expose('SharedArrayBuffer', denied('SharedArrayBuffer'));
// V8 maps the memory of a resizable buffer by itself, where no limit of the run sees it.
const fixed = {
  ArrayBuffer: function (length, options = undefined) {
    if (new.target === undefined) {
      throw new SafeTypeError("Constructor ArrayBuffer requires 'new'");
    }
    if (options !== null && typeof options === 'object' && options.maxByteLength !== undefined) {
      host.deny('ArrayBuffer with maxByteLength');
    }
    return construct(SafeArrayBuffer, [length], new.target);
  },
}.ArrayBuffer;
reflectDefine(fixed, 'prototype', { __proto__: null, value: SafeArrayBuffer.prototype, writable: false });
hidden(fixed, 'isView', isView);
reflectDefine(fixed, SymbolSpecies, getOwnPropertyDescriptor(SafeArrayBuffer, SymbolSpecies));
hidden(SafeArrayBuffer.prototype, 'constructor', fixed);
expose('ArrayBuffer', fixed);
hidden(Atomics, 'wait', denied('Atomics.wait'));
hidden(Atomics, 'waitAsync', denied('Atomics.waitAsync'));
// Its callbacks would run tenant code after the run it belongs to.
delete globalThis.FinalizationRegistry;
