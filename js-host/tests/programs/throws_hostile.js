() => {
  const error = new Error('x');
  Object.defineProperty(error, 'message', { get() { throw new Error('from the getter'); } });
  Object.defineProperty(error, 'name', { get() { return { toString() { throw 1; } }; } });
  throw error;
}
