() => Devpack.respond.failure('no money', { code: 7 })
