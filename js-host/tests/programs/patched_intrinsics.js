async () => {
  const broken = () => { throw new Error('patched'); };
  const define = Reflect.defineProperty;
  for (const [owner, names] of [[Array.prototype, ['push', 'map', 'slice', 'values', 'sort', 'join', 'forEach']], [Map.prototype, ['get', 'set', 'delete', 'has', 'clear']],
    [Set.prototype, ['add', 'has']], [String.prototype, ['toLowerCase', 'trim', 'slice', 'startsWith']], [Promise.prototype, ['then', 'catch', 'finally']],
    [JSON, ['parse', 'stringify']], [Object, ['keys', 'freeze', 'defineProperty']], [Reflect, ['apply', 'ownKeys']], [Function.prototype, ['call', 'apply', 'bind']]]) {
    for (const name of names) owner[name] = broken;
  }
  define(Object.prototype, '0', { set: broken, get: broken, configurable: true });
  define(Object.prototype, 'get', { value: broken, configurable: true });
  Array.prototype[Symbol.iterator] = broken;
  console.log('still logs', { a: [1, 2] }, new Map());
  const handle = Devpack.gasBank.ensureAccount({ wallet: 'NX' });
  const url = new URL('https://example.org/?a=1&b=2');
  const text = new TextDecoder().decode(new TextEncoder().encode('ok'));
  const status = await new Promise((resolve) => setTimeout(resolve, 1, 'timer'));
  const got = await fetch(url.href, { headers: { 'x-a': '1' } });
  return { id: handle.id, b: url.searchParams.get('b'), text, status, fetched: got.status, type: got.headers.get('content-type') };
}
