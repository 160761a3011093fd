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
const original = {
  __proto__: null,
  WebAssembly: globalThis.WebAssembly,
};
if (original.WebAssembly !== undefined) {
  const stub = {};
  const names = ['compile', 'instantiate', 'compileStreaming', 'instantiateStreaming', 'Module', 'Instance',
    'Memory', 'Table', 'Global', 'Tag', 'Exception'];
  for (let at = 0; at < names.length; at += 1) {
    hidden(stub, names[at], denied(`WebAssembly.${names[at]}`));
  }
  hidden(stub, 'validate', function validate() { return false; });
  reflectDefine(stub, SymbolToStringTag, { __proto__: null, value: 'WebAssembly', configurable: true });
  expose('WebAssembly', stub);
}
expose('SharedArrayBuffer', denied('SharedArrayBuffer'));
hidden(Atomics, 'wait', denied('Atomics.wait'));
hidden(Atomics, 'waitAsync', denied('Atomics.waitAsync'));
// Its callbacks would run tenant code after the run it belongs to.
delete globalThis.FinalizationRegistry;
