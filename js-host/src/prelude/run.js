// What the host calls: `begin` before a function is called, `invoke` to call it, the rest while it waits.
const begin = (paramsText, secretPairs, facts, allowWasm) => {
  const params = paramsText === '' ? {} : jsonParse(paramsText);
  const secrets = {};
  for (let at = 0; at < secretPairs.length; at += 2) {
    own(secrets, secretPairs[at], secretPairs[at + 1]);
  }
  freeze(secrets);
  const context = {
    functionId: facts[0],
    functionVersion: facts[1],
    accountId: facts[2],
    executionId: facts[3],
    attempt: facts[4],
    phase: facts[5],
  };
  // Not enumerable: whoever logs or returns the context does not give its secrets away.
  hidden(context, 'secrets', secrets);
  current = { __proto__: null, params, secrets, context: freeze(context) };
  mapClear(timers);
  mapClear(fetches);
  own(globalThis, 'params', params);
  own(globalThis, 'secrets', secrets);
  if (!allowWasm) {
    expose('WebAssembly', noWebAssembly);
  }
};
const invoke = (callable, isModule) => callable(current.params, isModule ? current.context : current.secrets);

return freeze({ __proto__: null, begin, invoke, fireTimer, settleFetch, failFetch });
