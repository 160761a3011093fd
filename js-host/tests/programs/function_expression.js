function handler(params) {
  return { kind: typeof handler, self: this === globalThis };
}
