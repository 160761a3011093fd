// What the rest of the prelude calls instead of a method looked up at the time: tenant code may have replaced it.
// Nothing here spreads, iterates or destructures arrays, because each of these asks Array.prototype.
const { apply, construct, defineProperty: reflectDefine, ownKeys, getOwnPropertyDescriptor } = Reflect;
const { freeze, getPrototypeOf, setPrototypeOf, defineProperties } = Object;
const { parse: jsonParse, stringify: jsonStringify } = JSON;
const { isView } = ArrayBuffer;
const { isArray } = Array;
const { isFinite: isFiniteNumber, isInteger } = Number;
const { min, max, trunc } = Math;
const StringOf = String;
const NumberOf = Number;
const SafeMap = Map;
const SafeSet = Set;
const SafePromise = Promise;
const SafeUint8Array = Uint8Array;
const SafeArrayBuffer = ArrayBuffer;
const SafeError = Error;
const SafeTypeError = TypeError;
const SafeRangeError = RangeError;
const SymbolIterator = Symbol.iterator;
const SymbolSpecies = Symbol.species;
const SymbolToStringTag = Symbol.toStringTag;
const { bind, call } = Function.prototype;
const unbound = (method) => apply(bind, call, [method]);
const getterOf = (owner, name) => unbound(getOwnPropertyDescriptor(owner, name).get);

const mapGet = unbound(Map.prototype.get);
const mapSet = unbound(Map.prototype.set);
const mapDelete = unbound(Map.prototype.delete);
const mapHas = unbound(Map.prototype.has);
const mapClear = unbound(Map.prototype.clear);
const mapForEach = unbound(Map.prototype.forEach);
const mapSize = getterOf(Map.prototype, 'size');
const setForEach = unbound(Set.prototype.forEach);
const setAdd = unbound(Set.prototype.add);
const setHas = unbound(Set.prototype.has);
const setDelete = unbound(Set.prototype.delete);
const setSize = getterOf(Set.prototype, 'size');
const arrayValues = unbound(Array.prototype.values);
const arraySort = unbound(Array.prototype.sort);
const stringLower = unbound(String.prototype.toLowerCase);
const stringUpper = unbound(String.prototype.toUpperCase);
const stringTrim = unbound(String.prototype.trim);
const stringSlice = unbound(String.prototype.slice);
const stringStartsWith = unbound(String.prototype.startsWith);
const stringCharCodeAt = unbound(String.prototype.charCodeAt);
const stringIncludes = unbound(String.prototype.includes);
const symbolText = unbound(Symbol.prototype.toString);
const functionText = unbound(Function.prototype.toString);
const dateIso = unbound(Date.prototype.toISOString);
const regExpText = unbound(RegExp.prototype.toString);
const promiseThen = unbound(Promise.prototype.then);
const typedArrayTag = getterOf(getPrototypeOf(Uint8Array.prototype), SymbolToStringTag);
const viewBuffer = getterOf(getPrototypeOf(Uint8Array.prototype), 'buffer');
const typedByteLength = getterOf(getPrototypeOf(Uint8Array.prototype), 'byteLength');
const typedByteOffset = getterOf(getPrototypeOf(Uint8Array.prototype), 'byteOffset');
const bufferByteLength = getterOf(ArrayBuffer.prototype, 'byteLength');
const dataViewBuffer = getterOf(DataView.prototype, 'buffer');
const dataViewByteLength = getterOf(DataView.prototype, 'byteLength');
const dataViewByteOffset = getterOf(DataView.prototype, 'byteOffset');

// A list whose indices no setter on Object.prototype can catch. Not for tenants.
const list = () => setPrototypeOf([], null);
const push = (items, item) => {
  items[items.length] = item;
};
// An array for tenants, from a list.
const toArray = (items) => {
  const array = [];
  for (let at = 0; at < items.length; at += 1) {
    reflectDefine(array, at, { __proto__: null, value: items[at], writable: true, enumerable: true, configurable: true });
  }
  return array;
};
const own = (object, name, value) =>
  reflectDefine(object, name, { __proto__: null, value, writable: true, enumerable: true, configurable: true });
const hidden = (object, name, value) =>
  reflectDefine(object, name, { __proto__: null, value, writable: true, enumerable: false, configurable: true });
const expose = (name, value) => hidden(globalThis, name, value);
const tag = (constructor, name) =>
  reflectDefine(constructor.prototype, SymbolToStringTag, { __proto__: null, value: name, configurable: true });

// The bytes of an ArrayBuffer or of any view, as a Uint8Array over the same memory; undefined for anything else.
const bytesOf = (value) => {
  if (isView(value)) {
    return typedArrayTag(value) === undefined
      ? new SafeUint8Array(dataViewBuffer(value), dataViewByteOffset(value), dataViewByteLength(value))
      : new SafeUint8Array(viewBuffer(value), typedByteOffset(value), typedByteLength(value));
  }
  try {
    bufferByteLength(value);
  } catch {
    return undefined;
  }
  return new SafeUint8Array(value);
};
const copyOf = (bytes, from, length) => {
  const copy = new SafeUint8Array(length);
  for (let at = 0; at < length; at += 1) {
    copy[at] = bytes[from + at];
  }
  return copy;
};
