let makeSignal = false;

class AbortSignal {
  #aborted = false;
  #reason;
  #listeners = list();
  onabort = null;
  constructor() {
    if (!makeSignal) {
      throw new SafeTypeError('Illegal constructor');
    }
  }
  static abort(reason) {
    const signal = newSignal();
    abortSignal(signal, reason);
    return signal;
  }
  static timeout(milliseconds) {
    const signal = newSignal();
    arm(() => abortSignal(signal, new DOMException('The operation timed out', 'TimeoutError')), milliseconds, false, []);
    return signal;
  }
  static any(signals) {
    const signal = newSignal();
    for (const source of signals) {
      whenAborted(source, (reason) => abortSignal(signal, reason));
    }
    return signal;
  }
  static fire(signal, reason) {
    if (signal.#aborted) {
      return;
    }
    signal.#aborted = true;
    signal.#reason = reason === undefined ? new DOMException('The operation was aborted', 'AbortError') : reason;
    const listeners = signal.#listeners;
    signal.#listeners = list();
    const event = { type: 'abort', target: signal };
    for (let at = 0; at < listeners.length; at += 1) {
      listeners[at](event);
    }
    if (typeof signal.onabort === 'function') {
      signal.onabort(event);
    }
  }
  static listen(signal, listener) {
    if (!(#aborted in signal)) {
      throw new SafeTypeError('The signal must be an AbortSignal');
    }
    if (signal.#aborted) {
      listener(signal.#reason);
    } else {
      push(signal.#listeners, () => listener(signal.#reason));
    }
  }
  get aborted() {
    return this.#aborted;
  }
  get reason() {
    return this.#reason;
  }
  throwIfAborted() {
    if (this.#aborted) {
      throw this.#reason;
    }
  }
  addEventListener(type, listener) {
    if (type === 'abort' && typeof listener === 'function' && !this.#aborted) {
      push(this.#listeners, listener);
    }
  }
  removeEventListener(type, listener) {
    const kept = list();
    for (let at = 0; at < this.#listeners.length; at += 1) {
      if (type !== 'abort' || this.#listeners[at] !== listener) {
        push(kept, this.#listeners[at]);
      }
    }
    this.#listeners = kept;
  }
}
tag(AbortSignal, 'AbortSignal');
const { fire: abortSignal, listen: whenAborted } = AbortSignal;
delete AbortSignal.fire;
delete AbortSignal.listen;
const newSignal = () => {
  makeSignal = true;
  try {
    return new AbortSignal();
  } finally {
    makeSignal = false;
  }
};

class AbortController {
  #signal = newSignal();
  get signal() {
    return this.#signal;
  }
  abort(reason) {
    abortSignal(this.#signal, reason);
  }
}
tag(AbortController, 'AbortController');
