() => {
  queueMicrotask(() => {
    throw new TypeError('from a microtask');
  });
  return 1;
}
