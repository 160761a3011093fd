const integerTags = new SafeSet();
setAdd(integerTags, 'Int8Array');
setAdd(integerTags, 'Uint8Array');
setAdd(integerTags, 'Uint8ClampedArray');
setAdd(integerTags, 'Int16Array');
setAdd(integerTags, 'Uint16Array');
setAdd(integerTags, 'Int32Array');
setAdd(integerTags, 'Uint32Array');
setAdd(integerTags, 'BigInt64Array');
setAdd(integerTags, 'BigUint64Array');

const cryptoObject = {
  getRandomValues(array) {
    if (!isView(array) || !setHas(integerTags, typedArrayTag(array))) {
      throw new DOMException('getRandomValues: an integer typed array is wanted', 'TypeMismatchError');
    }
    if (typedByteLength(array) > 65536) {
      throw new DOMException('getRandomValues: at most 65536 bytes at once', 'QuotaExceededError');
    }
    host.fillRandom(bytesOf(array));
    return array;
  },
  randomUUID() {
    return host.randomUuid();
  },
};
reflectDefine(cryptoObject, SymbolToStringTag, { __proto__: null, value: 'Crypto', configurable: true });
return freeze(cryptoObject);
