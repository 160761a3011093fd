async () => {
  const all = await Promise.all([1, 2, 3].map(async (n) => (await (await fetch(`https://example.org/${n}`)).json()).url));
  const missing = await fetch('https://example.org/missing');
  return { all, missing: [missing.status, missing.ok] };
}
