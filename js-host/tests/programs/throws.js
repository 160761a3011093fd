(params) => {
  function inner() {
    throw new TypeError('broken');
  }
  return [1].map(() => inner());
}
