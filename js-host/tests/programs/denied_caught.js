async () => {
  const reasons = [];
  try { eval('1'); } catch (error) { reasons.push(error.name); }
  try { await import('x'); } catch (error) { reasons.push(`${error.name}: ${error.message}`); }
  return { reasons, wasm: WebAssembly.validate(new Uint8Array(8)) };
}
