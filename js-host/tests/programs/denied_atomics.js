() => Atomics.wait(new Int32Array(new ArrayBuffer(4)), 0, 0)
