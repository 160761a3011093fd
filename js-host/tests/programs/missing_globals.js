() => {
  const names = ['process', 'require', 'Deno', 'Temporal', 'FinalizationRegistry', 'ShadowRealm', 'gc', 'window', 'global', 'host'];
  return { found: names.filter((name) => name in globalThis), all: Object.getOwnPropertyNames(globalThis).sort().join(' ') };
}
