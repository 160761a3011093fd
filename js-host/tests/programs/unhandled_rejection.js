async () => {
  Promise.reject(new TypeError('nobody\nlooks'));
  Promise.reject('no error');
  const handled = Promise.reject(new Error('handled in the end'));
  await null;
  handled.catch(() => console.log('caught'));
  return 1;
}
