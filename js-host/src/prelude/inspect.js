// How values look in logged lines: close to what authors know from Node, on one line, bounded in depth and length.
const MOST_DEPTH = 4;
const MOST_ITEMS = 100;
const MOST_TEXT = 16384;

const inspectError = (error) => {
  const stack = error.stack;
  if (typeof stack === 'string' && stack !== '') {
    return stack;
  }
  return `${error.name}: ${error.message}`;
};

const quoted = (text) => jsonStringify(text.length > MOST_TEXT ? `${stringSlice(text, 0, MOST_TEXT)}...` : text);

const joined = (open, parts, close, more) => {
  if (parts.length === 0 && more === 0) {
    return open + close;
  }
  let text = `${open} `;
  for (let at = 0; at < parts.length; at += 1) {
    text += (at > 0 ? ', ' : '') + parts[at];
  }
  if (more > 0) {
    text += `${parts.length > 0 ? ', ' : ''}... ${more} more`;
  }
  return `${text} ${close}`;
};

const inspectArray = (value, seen, depth) => {
  const parts = list();
  const shown = min(value.length, MOST_ITEMS);
  for (let at = 0; at < shown; at += 1) {
    push(parts, inspect(value[at], seen, depth + 1));
  }
  return joined('[', parts, ']', value.length - shown);
};

const inspectCollection = (value, seen, depth) => {
  const parts = list();
  let count = 0;
  let open;
  const visit = (text) => {
    count += 1;
    if (count <= MOST_ITEMS) {
      push(parts, text());
    }
  };
  try {
    const size = mapSize(value);
    open = `Map(${size}) {`;
    mapForEach(value, (item, key) =>
      visit(() => `${inspect(key, seen, depth + 1)} => ${inspect(item, seen, depth + 1)}`));
  } catch {
    const size = setSize(value);
    open = `Set(${size}) {`;
    setForEach(value, (item) => visit(() => inspect(item, seen, depth + 1)));
  }
  return joined(open, parts, '}', max(0, count - MOST_ITEMS));
};

const inspectProperties = (value, seen, depth) => {
  const keys = ownKeys(value);
  const parts = list();
  let more = 0;
  for (let at = 0; at < keys.length; at += 1) {
    const descriptor = getOwnPropertyDescriptor(value, keys[at]);
    if (descriptor === undefined || !descriptor.enumerable) {
      continue;
    }
    if (parts.length === MOST_ITEMS) {
      more += 1;
      continue;
    }
    const key = typeof keys[at] === 'symbol' ? `[${symbolText(keys[at])}]` : keys[at];
    const item = 'value' in descriptor ? inspect(descriptor.value, seen, depth + 1) : '[Getter]';
    push(parts, `${key}: ${item}`);
  }
  const name = className(value);
  return joined(name === 'Object' || name === '' ? '{' : `${name} {`, parts, '}', more);
};

const className = (value) => {
  const prototype = getPrototypeOf(value);
  if (prototype === null) {
    return '[Object: null prototype]';
  }
  const descriptor = getOwnPropertyDescriptor(prototype, 'constructor');
  const constructor = descriptor && descriptor.value;
  const name = typeof constructor === 'function' ? getOwnPropertyDescriptor(constructor, 'name') : undefined;
  return name !== undefined && typeof name.value === 'string' ? name.value : '';
};

const attempt = (text) => {
  try {
    return text();
  } catch {
    return undefined;
  }
};

const inspectObject = (value, seen, depth) => {
  if (setHas(seen, value)) {
    return '[Circular]';
  }
  if (depth >= MOST_DEPTH) {
    return isArray(value) ? '[Array]' : '[Object]';
  }
  if (value instanceof SafeError) {
    return inspectError(value);
  }
  setAdd(seen, value);
  const text = isArray(value)
    ? inspectArray(value, seen, depth)
    : attempt(() => dateIso(value)) ??
      attempt(() => regExpText(value instanceof RegExp ? value : undefined)) ??
      attempt(() => inspectCollection(value, seen, depth)) ??
      attempt(() => (typedArrayTag(value) === undefined ? undefined : `${typedArrayTag(value)}(${typedByteLength(value)} bytes)`)) ??
      attempt(() => `ArrayBuffer(${bufferByteLength(value)} bytes)`) ??
      inspectProperties(value, seen, depth);
  setDelete(seen, value);
  return text;
};

const inspect = (value, seen, depth) => {
  switch (typeof value) {
    case 'string':
      return quoted(value);
    case 'bigint':
      return `${value}n`;
    case 'symbol':
      return symbolText(value);
    case 'function':
      return stringStartsWith(functionText(value), 'class') ? `[class ${value.name}]` : `[Function: ${value.name || '(anonymous)'}]`;
    case 'object':
      return value === null ? 'null' : inspectObject(value, seen, depth);
    case 'number':
      return value === 0 && 1 / value < 0 ? '-0' : `${value}`;
    default:
      return `${value}`;
  }
};

// `console.log('%s is %d', name, count)`, then the rest, separated by spaces.
const formatDirectives = (template, values) => {
  let text = '';
  let used = 1;
  for (let at = 0; at < template.length; at += 1) {
    const next = template[at] === '%' ? template[at + 1] : undefined;
    if (next === '%') {
      text += '%';
      at += 1;
    } else if (next !== undefined && used < values.length && stringIncludes('sdifjoO', next)) {
      text += formatDirective(next, values[used]);
      used += 1;
      at += 1;
    } else {
      text += template[at];
    }
  }
  return { __proto__: null, text, used };
};

const formatDirective = (directive, value) => {
  switch (directive) {
    case 's':
      return typeof value === 'object' && value !== null ? inspect(value, new SafeSet(), 0) : StringOf(value);
    case 'd':
      return typeof value === 'object' ? 'NaN' : `${NumberOf(value)}`;
    case 'i':
      return typeof value === 'object' ? 'NaN' : `${trunc(NumberOf(value))}`;
    case 'f':
      return typeof value === 'symbol' ? 'NaN' : `${NumberOf(value)}`;
    case 'j':
      return `${jsonStringify(value)}`;
    default:
      return inspect(value, new SafeSet(), 0);
  }
};

const format = (values) => {
  let text = '';
  let from = 0;
  if (values.length > 1 && typeof values[0] === 'string' && stringIncludes(values[0], '%')) {
    const head = formatDirectives(values[0], values);
    text = head.text;
    from = head.used;
  }
  for (let at = from; at < values.length; at += 1) {
    const item = values[at];
    text += (at > 0 ? ' ' : '') + (typeof item === 'string' ? item : inspect(item, new SafeSet(), 0));
  }
  return text;
};

return format;
