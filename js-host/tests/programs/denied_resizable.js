() => new ArrayBuffer(0, { maxByteLength: 8 })
