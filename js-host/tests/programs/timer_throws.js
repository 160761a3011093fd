async () => {
  await new Promise(() => {
    setTimeout(function late() {
      throw new RangeError('from a timer');
    }, 1);
  });
}
