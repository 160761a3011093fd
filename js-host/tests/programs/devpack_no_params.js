() => {
  Devpack.gasBank.ensureAccount();
  Devpack.random.generate('not an object');
}
