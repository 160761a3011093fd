const encodingOf = (label) => {
  const name = stringLower(stringTrim(`${label}`));
  if (name === 'utf-8' || name === 'utf8' || name === 'unicode-1-1-utf-8') {
    return 'utf-8';
  }
  throw new SafeRangeError(`TextDecoder: only utf-8 is supported, not ${label}`);
};

class TextEncoder {
  get encoding() {
    return 'utf-8';
  }
  encode(input = '') {
    const text = `${input}`;
    const bytes = new SafeUint8Array(host.utf8Length(text));
    host.utf8Write(text, bytes);
    return bytes;
  }
  encodeInto(source, destination) {
    const text = `${source}`;
    if (typedArrayTag(destination) !== 'Uint8Array') {
      throw new SafeTypeError('encodeInto: the destination must be a Uint8Array');
    }
    const read = host.utf8Write(text, destination);
    return { read, written: host.utf8Length(stringSlice(text, 0, read)) };
  }
}
tag(TextEncoder, 'TextEncoder');

class TextDecoder {
  #fatal;
  #ignoreBOM;
  #kept;
  constructor(label = 'utf-8', options = {}) {
    encodingOf(label);
    this.#fatal = !!options.fatal;
    this.#ignoreBOM = !!options.ignoreBOM;
  }
  get encoding() {
    return 'utf-8';
  }
  get fatal() {
    return this.#fatal;
  }
  get ignoreBOM() {
    return this.#ignoreBOM;
  }
  decode(input, options = {}) {
    const given = input === undefined ? new SafeUint8Array(0) : bytesOf(input);
    if (given === undefined) {
      throw new SafeTypeError('decode: the input must be an ArrayBuffer or a view of one');
    }
    const bytes = this.#withKept(given);
    const tail = options.stream ? host.utf8Tail(bytes) : 0;
    const whole = typedByteLength(bytes) - tail;
    this.#kept = tail > 0 ? copyOf(bytes, whole, tail) : undefined;
    const text = host.utf8Decode(bytes, whole, this.#fatal, this.#ignoreBOM);
    if (text === undefined) {
      throw new SafeTypeError('decode: the input is not valid utf-8');
    }
    return text;
  }
  #withKept(given) {
    if (this.#kept === undefined) {
      return given;
    }
    const before = typedByteLength(this.#kept);
    const bytes = new SafeUint8Array(before + typedByteLength(given));
    for (let at = 0; at < before; at += 1) {
      bytes[at] = this.#kept[at];
    }
    for (let at = 0; at < typedByteLength(given); at += 1) {
      bytes[before + at] = given[at];
    }
    return bytes;
  }
}
tag(TextDecoder, 'TextDecoder');

function btoa(data) {
  const text = host.btoa(`${data}`);
  if (text === undefined) {
    throw new DOMException('btoa: a character is outside Latin-1', 'InvalidCharacterError');
  }
  return text;
}
function atob(data) {
  const text = host.atob(`${data}`);
  if (text === undefined) {
    throw new DOMException('atob: the text is not base64', 'InvalidCharacterError');
  }
  return text;
}
function structuredClone(value, options) {
  if (options !== undefined && options !== null && options.transfer !== undefined && options.transfer.length > 0) {
    throw new DOMException('structuredClone: nothing can be transferred', 'DataCloneError');
  }
  return host.structuredClone(value, (message) => new DOMException(message, 'DataCloneError'));
}

return { __proto__: null, TextEncoder, TextDecoder, btoa, atob, structuredClone };
