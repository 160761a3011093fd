async () => {
  const reason = async (...args) => {
    try { await fetch(...args); return 'fetched'; } catch (error) { return `${error.name}: ${error.message} ${error.code ?? ''}`; }
  };
  return {
    refused: await reason('http://refused.example/'),
    relative: await reason('/path'),
    body: await reason('https://example.org/', { body: 'x' }),
    method: await reason('https://example.org/', { method: 'GE T' }),
    header: await reason('https://example.org/', { headers: { 'a\r\nb': 'c' } }),
    value: await reason('https://example.org/', { headers: { a: 'b\r\nc: d' } }),
    many: await reason('https://example.org/', { headers: Array.from({ length: 257 }, (_, i) => [`x-${i}`, '1']) }),
    manual: await reason('https://example.org/', { redirect: 'manual' }),
  };
}
