() => {
  Devpack.gasBank.ensureAccount({ wallet: 'NX' });
  throw new Error('after queueing');
}
