// Tenant code has replaced whatever it can before these are first asked for.
() => {
  const names = ['AbortController', 'AbortSignal', 'Devpack', 'Headers', 'Response', 'TextDecoder', 'TextEncoder', 'URL',
    'URLSearchParams', 'WebAssembly', 'atob', 'btoa', 'console', 'crypto', 'fetch', 'structuredClone'];
  globalThis.btoa = 'mine';
  const gone = delete globalThis.crypto;
  for (const owner of [Object.prototype, Array.prototype, Function.prototype]) {
    for (const key of ['get', 'value', 'enumerable', 'name', 'call', 'bind', '0', 'context', 'text', 'URL']) {
      Object.defineProperty(owner, key, { __proto__: null, configurable: true, get() { throw new Error(`asked ${key}`); }, set() { throw new Error(`set ${key}`); } });
    }
  }
  const shown = { __proto__: null };
  for (let at = 0; at < names.length; at += 1) {
    const kind = typeof globalThis[names[at]];
    const descriptor = Object.getOwnPropertyDescriptor(globalThis, names[at]);
    const same = globalThis[names[at]] === globalThis[names[at]];
    shown[names[at]] = `${kind} ${same} ${descriptor && Object.keys(descriptor)}`;
  }
  for (const owner of [Object.prototype, Array.prototype, Function.prototype]) {
    for (const key of ['get', 'value', 'enumerable', 'name', 'call', 'bind', '0', 'context', 'text', 'URL']) {
      delete owner[key];
    }
  }
  return { gone, shown, enumerable: Object.keys(globalThis), host: new URL('https://a.example/b').host, text: new TextDecoder().decode(new TextEncoder().encode('ok')) };
}
