() => {
  const url = new URL('../a b?x=1&y=2#f', 'https://user:pa%20ss@Example.org:8443/p/q/r');
  url.searchParams.append('z', '\u20ac &');
  url.searchParams.delete('x');
  const before = url.href;
  url.port = '443'; url.hash = ''; url.pathname = '/n'; url.protocol = 'http';
  url.search = '?k=v';
  let invalid;
  try { new URL('nope'); } catch (error) { invalid = `${error.name}: ${error.message}`; }
  return {
    before, after: url.href, origin: url.origin, host: url.host, user: url.username, k: url.searchParams.get('k'),
    json: JSON.stringify({ url }), invalid, can: [URL.canParse('http://a'), URL.canParse('x')], parsed: URL.parse('x'),
    idn: new URL('http://\u00fcber.example/').hostname, v6: new URL('http://[::1]:80/').host, odd: new URL('http://0x7f.1/').hostname,
  };
}
