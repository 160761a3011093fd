// params: {"a":1}
// secret: apiKey s3cret
(p, s) => ({
  same: p === params && s === secrets,
  secret: secrets.apiKey,
  other: secrets.other === undefined,
  frozen: Object.isFrozen(secrets),
  own: Object.keys(globalThis),
  context: Devpack.context,
})
