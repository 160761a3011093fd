() => {
  let wrong;
  try { atob('a'); } catch (error) { wrong = error.name; }
  let wide;
  try { btoa('\u20ac'); } catch (error) { wide = error.name; }
  return { b: btoa('h\u00e9llo'), a: atob(' aGk = '), again: atob(btoa('\x00\xff')).length, wrong, wide };
}
