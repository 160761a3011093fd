async () => {
  const response = await fetch(new URL('https://example.org/a?b=c'), { headers: { 'X-One': '1', Accept: 'text/plain' } });
  const { status, ok, statusText, url, redirected, type } = response;
  const copy = response.clone();
  const body = await response.json();
  let twice;
  try { await response.text(); } catch (error) { twice = error.message; }
  return {
    status, ok, statusText, url, redirected, type, body, twice, used: response.bodyUsed,
    headers: [...response.headers], cookies: response.headers.getSetCookie(), length: (await copy.arrayBuffer()).byteLength > 10,
    is: response instanceof Response,
  };
}
