// What has to do with addresses and the network is made when it is first asked for: few functions ask, and every context
// would have to carry it.
const fetches = new SafeMap();
let network;
const ofNetwork = (name) => {
  network ??= makeNetwork();
  return network[name];
};
const networkNames = ['URL', 'URLSearchParams', 'AbortSignal', 'AbortController', 'Headers', 'Response', 'fetch'];
for (let at = 0; at < networkNames.length; at += 1) {
  const name = networkNames[at];
  const get = () => {
    const value = ofNetwork(name);
    expose(name, value);
    return value;
  };
  const set = (value) => expose(name, value);
  reflectDefine(globalThis, name, { __proto__: null, get, set, enumerable: false, configurable: true });
}

// Called by the host when an answer has come, or none will.
const settleFetch = (...answer) => apply(ofNetwork('settleFetch'), undefined, answer);
const failFetch = (...answer) => apply(ofNetwork('failFetch'), undefined, answer);
