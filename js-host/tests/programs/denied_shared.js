() => new SharedArrayBuffer(8)
