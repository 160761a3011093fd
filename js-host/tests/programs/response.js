async () => {
  const response = Response.json({ a: 1 }, { status: 201, headers: { 'x-y': 'z' } });
  return { status: response.status, type: response.headers.get('content-type'), body: await response.json(), empty: await new Response().text() };
}
