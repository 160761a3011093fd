const headerName = (name) => {
  const text = stringLower(`${name}`);
  if (!host.checkHeader(text, true)) {
    throw new SafeTypeError(`Invalid header name: ${name}`);
  }
  return text;
};
const headerValue = (value) => {
  const text = stringTrim(`${value}`);
  if (!host.checkHeader(text, false)) {
    throw new SafeTypeError('Invalid header value');
  }
  return text;
};

class Headers {
  #pairs = list();
  constructor(init) {
    if (init === undefined || init === null) {
      return;
    }
    if (typeof init !== 'object') {
      throw new SafeTypeError('Headers: an object or a list of pairs is wanted');
    }
    if (#pairs in init) {
      this.#pairs = listOf(init.#pairs);
    } else {
      eachPair(init, (name, value) => this.append(name, value), 'Headers');
    }
  }
  static flat(headers) {
    return headers.#pairs;
  }
  static fromFlat(pairs) {
    const headers = new Headers();
    headers.#pairs = listOf(pairs);
    return headers;
  }
  append(name, value) {
    const wanted = headerName(name);
    const text = headerValue(value);
    push(this.#pairs, wanted);
    push(this.#pairs, text);
  }
  delete(name) {
    const wanted = headerName(name);
    const kept = list();
    for (let at = 0; at < this.#pairs.length; at += 2) {
      if (this.#pairs[at] !== wanted) {
        push(kept, this.#pairs[at]);
        push(kept, this.#pairs[at + 1]);
      }
    }
    this.#pairs = kept;
  }
  get(name) {
    const wanted = headerName(name);
    let text = null;
    for (let at = 0; at < this.#pairs.length; at += 2) {
      if (this.#pairs[at] === wanted) {
        text = text === null ? this.#pairs[at + 1] : `${text}, ${this.#pairs[at + 1]}`;
      }
    }
    return text;
  }
  getSetCookie() {
    const found = list();
    for (let at = 0; at < this.#pairs.length; at += 2) {
      if (this.#pairs[at] === 'set-cookie') {
        push(found, this.#pairs[at + 1]);
      }
    }
    return toArray(found);
  }
  has(name) {
    return this.get(name) !== null;
  }
  set(name, value) {
    this.delete(name);
    this.append(name, value);
  }
  forEach(callback, self) {
    const sorted = this.#sorted();
    for (let at = 0; at < sorted.length; at += 2) {
      apply(callback, self, [sorted[at + 1], sorted[at], this]);
    }
  }
  entries() {
    return arrayValues(pairsOf(this.#sorted()));
  }
  keys() {
    return arrayValues(everySecond(this.#sorted(), 0));
  }
  values() {
    return arrayValues(everySecond(this.#sorted(), 1));
  }
  // By name, repeats joined.
  #sorted() {
    const seen = new SafeSet();
    const names = [];
    for (let at = 0; at < this.#pairs.length; at += 2) {
      if (!setHas(seen, this.#pairs[at])) {
        setAdd(seen, this.#pairs[at]);
        own(names, names.length, this.#pairs[at]);
      }
    }
    arraySort(names);
    const sorted = list();
    for (let at = 0; at < names.length; at += 1) {
      push(sorted, names[at]);
      push(sorted, this.get(names[at]));
    }
    return sorted;
  }
}
hidden(Headers.prototype, SymbolIterator, Headers.prototype.entries);
tag(Headers, 'Headers');
const { flat: flatHeaders, fromFlat: headersFromFlat } = Headers;
delete Headers.flat;
delete Headers.fromFlat;

// A body as bytes, and the content type that it implies.
const extractBody = (body) => {
  if (body === undefined || body === null) {
    return { __proto__: null, bytes: undefined, type: undefined };
  }
  const bytes = typeof body === 'object' ? bytesOf(body) : undefined;
  if (bytes !== undefined) {
    return { __proto__: null, bytes, type: undefined };
  }
  const text = `${body}`;
  const encoded = new SafeUint8Array(host.utf8Length(text));
  host.utf8Write(text, encoded);
  const type = body instanceof URLSearchParams ? 'application/x-www-form-urlencoded;charset=UTF-8' : 'text/plain;charset=UTF-8';
  return { __proto__: null, bytes: encoded, type };
};

class Response {
  #bytes;
  #used = false;
  #status = 200;
  #statusText = '';
  #url = '';
  #redirected = false;
  #headers;
  constructor(body = null, init = {}) {
    const { bytes, type } = extractBody(body);
    this.#bytes = bytes;
    this.#status = init.status === undefined ? 200 : NumberOf(init.status);
    if (!isInteger(this.#status) || this.#status < 200 || this.#status > 599) {
      throw new SafeRangeError('Response: the status must be from 200 to 599');
    }
    this.#statusText = init.statusText === undefined ? '' : `${init.statusText}`;
    this.#headers = new Headers(init.headers);
    if (type !== undefined && !this.#headers.has('content-type')) {
      this.#headers.append('content-type', type);
    }
  }
  static received(status, statusText, url, redirected, pairs, bytes) {
    const response = new Response();
    response.#status = status;
    response.#statusText = statusText;
    response.#url = url;
    response.#redirected = redirected;
    response.#headers = headersFromFlat(pairs);
    response.#bytes = bytes;
    return response;
  }
  static json(data, init = {}) {
    const response = new Response(jsonStringify(data), init);
    response.#headers.set('content-type', 'application/json');
    return response;
  }
  get status() { return this.#status; }
  get statusText() { return this.#statusText; }
  get ok() { return this.#status >= 200 && this.#status < 300; }
  get headers() { return this.#headers; }
  get url() { return this.#url; }
  get redirected() { return this.#redirected; }
  get type() { return this.#url === '' ? 'default' : 'basic'; }
  get bodyUsed() { return this.#used; }
  #take() {
    if (this.#used) {
      throw new SafeTypeError('The body has been read already');
    }
    this.#used = true;
    return this.#bytes ?? new SafeUint8Array(0);
  }
  #text() {
    const bytes = this.#take();
    return host.utf8Decode(bytes, typedByteLength(bytes), false, false);
  }
  async text() { return this.#text(); }
  async json() { return jsonParse(this.#text()); }
  async bytes() {
    const bytes = this.#take();
    return copyOf(bytes, 0, typedByteLength(bytes));
  }
  async arrayBuffer() {
    const bytes = this.#take();
    return viewBuffer(copyOf(bytes, 0, typedByteLength(bytes)));
  }
  clone() {
    if (this.#used) {
      throw new SafeTypeError('The body has been read already');
    }
    return receivedResponse(this.#status, this.#statusText, this.#url, this.#redirected, flatHeaders(this.#headers), this.#bytes);
  }
}
tag(Response, 'Response');
const { received: receivedResponse } = Response;
delete Response.received;

const startFetch = (input, init, resolve, reject) => {
  const address = host.urlParse(isUrl(input) ? input.href : `${input}`, undefined);
  if (address === undefined) {
    throw new SafeTypeError(`fetch: invalid URL: ${input}`);
  }
  const method = stringUpper(init.method === undefined ? 'GET' : `${init.method}`);
  if (!host.checkHeader(stringLower(method), true)) {
    throw new SafeTypeError(`fetch: invalid method: ${method}`);
  }
  const redirect = init.redirect === undefined ? 'follow' : `${init.redirect}`;
  const headers = new Headers(init.headers);
  const { bytes, type } = extractBody(init.body);
  if (bytes !== undefined && (method === 'GET' || method === 'HEAD')) {
    throw new SafeTypeError(`fetch: ${method} cannot have a body`);
  }
  if (type !== undefined && !headers.has('content-type')) {
    headers.append('content-type', type);
  }
  if (init.signal !== undefined && init.signal !== null && init.signal.aborted) {
    throw init.signal.reason;
  }
  const id = host.fetch(method, address[HREF], flatHeaders(headers), bytes, redirect === 'follow');
  mapSet(fetches, id, { __proto__: null, resolve, reject, redirect });
  if (init.signal !== undefined && init.signal !== null) {
    whenAborted(init.signal, (reason) => {
      if (mapDelete(fetches, id)) {
        host.forgetFetch(id);
        reject(reason);
      }
    });
  }
};

function fetch(input, init = {}) {
  return new SafePromise((resolve, reject) => {
    try {
      startFetch(input, init === null ? {} : init, resolve, reject);
    } catch (error) {
      reject(error);
    }
  });
}

// Called by the host when an answer has come.
const settleFetch = (id, status, statusText, url, redirected, pairs, length) => {
  const fetch = mapGet(fetches, id);
  if (fetch === undefined) {
    return;
  }
  mapDelete(fetches, id);
  if (fetch.redirect === 'error' && status >= 300 && status < 400) {
    fetch.reject(new SafeTypeError('fetch: there was a redirect'));
    return;
  }
  let bytes;
  try {
    bytes = new SafeUint8Array(length);
  } catch (error) {
    fetch.reject(error);
    return;
  }
  host.takeBody(bytes);
  fetch.resolve(receivedResponse(status, statusText, url, redirected, pairs, bytes));
};
const failFetch = (id, code, message) => {
  const fetch = mapGet(fetches, id);
  if (fetch === undefined) {
    return;
  }
  mapDelete(fetches, id);
  const error = new SafeTypeError(`fetch failed: ${message}`);
  hidden(error, 'code', code);
  fetch.reject(error);
};

return { __proto__: null, URL, URLSearchParams, AbortSignal, AbortController, Headers, Response, fetch, settleFetch, failFetch };
