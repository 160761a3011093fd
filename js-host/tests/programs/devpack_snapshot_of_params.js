() => {
  const params = { wallet: 'before' };
  Devpack.gasBank.ensureAccount(params);
  params.wallet = 'after';
  'use strict';
  let changed = false;
  try { Devpack.gasBank.withdraw = 1; changed = Devpack.gasBank.withdraw === 1; } catch {}
  return { changed };
}
