async () => {
  const post = async (body, headers) => (await (await fetch('https://example.org/', { method: 'post', body, headers })).json());
  return {
    text: await post('h\u00e9'),
    form: await post(new URLSearchParams({ a: 'b c' })),
    bytes: await post(new Uint8Array([104, 105])),
    json: await post(JSON.stringify({ a: 1 }), [['content-type', 'application/json']]),
  };
}
