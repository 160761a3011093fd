const fetches = new SafeMap();
let text;
let network;
const ofText = (name) => {
  text ??= makeText();
  return text[name];
};
const ofNetwork = (name) => {
  network ??= makeNetwork();
  return network[name];
};

// What few functions ask for is made when it is first asked for: every context would have to carry it. Called by the host.
const make = (name) => {
  switch (name) {
    case 'Devpack':
      return makeDevpack();
    case 'crypto':
      return makeCrypto();
    case 'WebAssembly':
      return makeNoWebAssembly();
    case 'TextEncoder':
    case 'TextDecoder':
    case 'atob':
    case 'btoa':
    case 'structuredClone':
      return ofText(name);
    default:
      return ofNetwork(name);
  }
};

// Called by the host when an answer has come, or none will.
const settleFetch = (...answer) => apply(ofNetwork('settleFetch'), undefined, answer);
const failFetch = (...answer) => apply(ofNetwork('failFetch'), undefined, answer);

// Called by the host before a context is used again: nothing is left to happen of the run before.
const forget = () => {
  mapClear(timers);
  mapClear(fetches);
};

return freeze({ __proto__: null, make, forget, fireTimer, settleFetch, failFetch });
