() => {
  const bytes = crypto.getRandomValues(new Uint8Array(64));
  const words = crypto.getRandomValues(new Uint32Array(8));
  let wrong;
  try { crypto.getRandomValues(new Float64Array(1)); } catch (error) { wrong = error.name; }
  let large;
  try { crypto.getRandomValues(new Uint8Array(65537)); } catch (error) { large = error.name; }
  const ids = new Set(Array.from({ length: 100 }, () => crypto.randomUUID()));
  return {
    filled: bytes.some((byte) => byte !== 0), words: words.some((word) => word > 65535), wrong, large, ids: ids.size,
    shape: [...ids].every((id) => /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(id)),
    subtle: typeof crypto.subtle,
  };
}
