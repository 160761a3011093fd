// Pairs of names and values lie flat in one list: name, value, name, value.
class URLSearchParams {
  #pairs = list();
  #url;
  constructor(init = '') {
    if (typeof init === 'object' && init !== null) {
      this.#fromObject(init);
    } else {
      const text = `${init}`;
      this.#pairs = listOf(host.formParse(stringStartsWith(text, '?') ? stringSlice(text, 1) : text));
    }
  }
  static of(url, query) {
    const made = new URLSearchParams(query);
    made.#url = url;
    return made;
  }
  static reread(made, query) {
    made.#pairs = listOf(host.formParse(query));
  }
  #fromObject(init) {
    if (#pairs in init) {
      this.#pairs = listOf(init.#pairs);
    } else {
      eachPair(init, (name, value) => this.#add(`${name}`, `${value}`), 'URLSearchParams');
    }
  }
  #add(name, value) {
    push(this.#pairs, name);
    push(this.#pairs, value);
  }
  #changed() {
    if (this.#url !== undefined) {
      setQuery(this.#url, this.toString());
    }
  }
  #without(name, value) {
    const kept = list();
    for (let at = 0; at < this.#pairs.length; at += 2) {
      if (this.#pairs[at] !== name || (value !== undefined && this.#pairs[at + 1] !== value)) {
        push(kept, this.#pairs[at]);
        push(kept, this.#pairs[at + 1]);
      }
    }
    return kept;
  }
  get size() {
    return this.#pairs.length / 2;
  }
  append(name, value) {
    this.#add(`${name}`, `${value}`);
    this.#changed();
  }
  delete(name, value) {
    this.#pairs = this.#without(`${name}`, value === undefined ? undefined : `${value}`);
    this.#changed();
  }
  get(name) {
    const wanted = `${name}`;
    for (let at = 0; at < this.#pairs.length; at += 2) {
      if (this.#pairs[at] === wanted) {
        return this.#pairs[at + 1];
      }
    }
    return null;
  }
  getAll(name) {
    const wanted = `${name}`;
    const found = list();
    for (let at = 0; at < this.#pairs.length; at += 2) {
      if (this.#pairs[at] === wanted) {
        push(found, this.#pairs[at + 1]);
      }
    }
    return toArray(found);
  }
  has(name, value) {
    const wanted = `${name}`;
    for (let at = 0; at < this.#pairs.length; at += 2) {
      if (this.#pairs[at] === wanted && (value === undefined || this.#pairs[at + 1] === `${value}`)) {
        return true;
      }
    }
    return false;
  }
  set(name, value) {
    const wanted = `${name}`;
    const kept = list();
    let placed = false;
    for (let at = 0; at < this.#pairs.length; at += 2) {
      if (this.#pairs[at] !== wanted || !placed) {
        push(kept, this.#pairs[at]);
        push(kept, this.#pairs[at] === wanted ? `${value}` : this.#pairs[at + 1]);
        placed ||= this.#pairs[at] === wanted;
      }
    }
    this.#pairs = kept;
    if (!placed) {
      this.#add(wanted, `${value}`);
    }
    this.#changed();
  }
  sort() {
    const order = [];
    for (let at = 0; at < this.#pairs.length; at += 2) {
      own(order, at / 2, { __proto__: null, name: this.#pairs[at], value: this.#pairs[at + 1] });
    }
    arraySort(order, (one, other) => (one.name < other.name ? -1 : one.name > other.name ? 1 : 0));
    const sorted = list();
    for (let at = 0; at < order.length; at += 1) {
      push(sorted, order[at].name);
      push(sorted, order[at].value);
    }
    this.#pairs = sorted;
    this.#changed();
  }
  forEach(callback, self) {
    for (let at = 0; at < this.#pairs.length; at += 2) {
      apply(callback, self, [this.#pairs[at + 1], this.#pairs[at], this]);
    }
  }
  entries() {
    return arrayValues(pairsOf(this.#pairs));
  }
  keys() {
    return arrayValues(everySecond(this.#pairs, 0));
  }
  values() {
    return arrayValues(everySecond(this.#pairs, 1));
  }
  toString() {
    return host.formSerialize(this.#pairs);
  }
}

const listOf = (items) => {
  const copy = list();
  for (let at = 0; at < items.length; at += 1) {
    push(copy, items[at]);
  }
  return copy;
};
const everySecond = (pairs, from) => {
  const some = list();
  for (let at = from; at < pairs.length; at += 2) {
    push(some, pairs[at]);
  }
  return toArray(some);
};
const pairsOf = (pairs) => {
  const all = list();
  for (let at = 0; at < pairs.length; at += 2) {
    push(all, [pairs[at], pairs[at + 1]]);
  }
  return toArray(all);
};
// The pairs of an iterable of pairs, or of a record.
const eachPair = (init, visit, what) => {
  if (typeof init[SymbolIterator] === 'function') {
    for (const pair of init) {
      const items = typeof pair === 'object' && pair !== null ? [...pair] : [];
      if (items.length !== 2) {
        throw new SafeTypeError(`${what}: a list must hold pairs of name and value`);
      }
      visit(items[0], items[1]);
    }
    return;
  }
  const names = ownKeys(init);
  for (let at = 0; at < names.length; at += 1) {
    const descriptor = getOwnPropertyDescriptor(init, names[at]);
    if (descriptor !== undefined && descriptor.enumerable && typeof names[at] === 'string') {
      visit(names[at], init[names[at]]);
    }
  }
};
hidden(URLSearchParams.prototype, SymbolIterator, URLSearchParams.prototype.entries);
tag(URLSearchParams, 'URLSearchParams');
const { of: searchParamsOf, reread: rereadSearchParams } = URLSearchParams;
delete URLSearchParams.of;
delete URLSearchParams.reread;

// The parts of an address, in the order in which the host gives them.
const HREF = 0, ORIGIN = 1, PROTOCOL = 2, USERNAME = 3, PASSWORD = 4, HOST = 5, HOSTNAME = 6, PORT = 7, PATHNAME = 8,
  SEARCH = 9, HASH = 10;

class URL {
  #parts;
  #query;
  constructor(url, base) {
    const parts = host.urlParse(`${url}`, base === undefined ? undefined : `${base}`);
    if (parts === undefined) {
      throw new SafeTypeError(`Invalid URL: ${url}`);
    }
    this.#parts = parts;
  }
  static canParse(url, base) {
    return host.urlParse(`${url}`, base === undefined ? undefined : `${base}`) !== undefined;
  }
  static parse(url, base) {
    return URL.canParse(url, base) ? new URL(url, base) : null;
  }
  static setQuery(url, query) {
    url.#parts = host.urlSet(url.#parts[HREF], SEARCH, query) ?? url.#parts;
  }
  static is(value) {
    return typeof value === 'object' && value !== null && #parts in value;
  }
  #set(part, value) {
    const parts = host.urlSet(this.#parts[HREF], part, `${value}`);
    if (parts !== undefined) {
      this.#parts = parts;
      if (this.#query !== undefined) {
        rereadSearchParams(this.#query, stringSlice(parts[SEARCH], 1));
      }
    }
    return parts !== undefined;
  }
  get href() { return this.#parts[HREF]; }
  set href(value) {
    if (!this.#set(HREF, value)) {
      throw new SafeTypeError(`Invalid URL: ${value}`);
    }
  }
  get origin() { return this.#parts[ORIGIN]; }
  get protocol() { return this.#parts[PROTOCOL]; }
  set protocol(value) { this.#set(PROTOCOL, value); }
  get username() { return this.#parts[USERNAME]; }
  set username(value) { this.#set(USERNAME, value); }
  get password() { return this.#parts[PASSWORD]; }
  set password(value) { this.#set(PASSWORD, value); }
  get host() { return this.#parts[HOST]; }
  set host(value) { this.#set(HOST, value); }
  get hostname() { return this.#parts[HOSTNAME]; }
  set hostname(value) { this.#set(HOSTNAME, value); }
  get port() { return this.#parts[PORT]; }
  set port(value) { this.#set(PORT, value); }
  get pathname() { return this.#parts[PATHNAME]; }
  set pathname(value) { this.#set(PATHNAME, value); }
  get search() { return this.#parts[SEARCH]; }
  set search(value) { this.#set(SEARCH, value); }
  get hash() { return this.#parts[HASH]; }
  set hash(value) { this.#set(HASH, value); }
  get searchParams() {
    this.#query ??= searchParamsOf(this, this.#parts[SEARCH]);
    return this.#query;
  }
  toString() { return this.#parts[HREF]; }
  toJSON() { return this.#parts[HREF]; }
}
tag(URL, 'URL');
const { setQuery, is: isUrl } = URL;
delete URL.setQuery;
delete URL.is;
