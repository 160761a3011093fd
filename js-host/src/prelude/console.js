// How values look is made with the first line.
let formatter;
const format = (values) => {
  formatter ??= makeInspect();
  return formatter(values);
};
const logger = (level) => (...values) => host.log(level, format(values));
const quiet = () => {};
const consoleMethods = {
  __proto__: null,
  debug: logger(0), trace: logger(0), log: logger(1), info: logger(1), dir: logger(1), warn: logger(2), error: logger(3),
  assert: (condition, ...values) => {
    if (!condition) {
      host.log(3, values.length > 0 ? `Assertion failed: ${format(values)}` : 'Assertion failed');
    }
  },
  group: quiet, groupEnd: quiet, time: quiet, timeEnd: quiet,
};
const consoleObject = {};
const consoleNames = ownKeys(consoleMethods);
for (let at = 0; at < consoleNames.length; at += 1) {
  const name = consoleNames[at];
  const method = consoleMethods[name];
  reflectDefine(method, 'name', { __proto__: null, value: name, configurable: true });
  own(consoleObject, name, method);
}
reflectDefine(consoleObject, SymbolToStringTag, { __proto__: null, value: 'console', configurable: true });
expose('console', consoleObject);
