() => {
  const bytes = new TextEncoder().encode('h\u00e9\u20ac\ud83e\udd80\ud800');
  const decoder = new TextDecoder();
  const parts = [0xf0, 0x9f, 0xa6, 0x80].map((byte) => decoder.decode(new Uint8Array([byte]), { stream: true }));
  const into = new Uint8Array(4);
  let fatal;
  try { new TextDecoder('utf-8', { fatal: true }).decode(new Uint8Array([0xff])); } catch (error) { fatal = error.message; }
  let label;
  try { new TextDecoder('latin1'); } catch (error) { label = `${error.name}: ${error.message}`; }
  return {
    bytes: Array.from(bytes),
    text: new TextDecoder().decode(bytes),
    parts,
    into: new TextEncoder().encodeInto('a\u20acb', into), intoBytes: Array.from(into),
    view: new TextDecoder().decode(new DataView(bytes.buffer, 1, 2)),
    mark: [new TextDecoder().decode(new Uint8Array([0xef, 0xbb, 0xbf, 65])), new TextDecoder('utf-8', { ignoreBOM: true }).decode(new Uint8Array([0xef, 0xbb, 0xbf, 65])).length],
    replaced: new TextDecoder().decode(new Uint8Array([65, 0xff, 66])),
    empty: new TextDecoder().decode(), fatal, label,
  };
}
