const timers = new SafeMap();

const arm = (callback, delay, repeat, rest) => {
  if (typeof callback !== 'function') {
    throw new SafeTypeError('The callback of a timer must be a function');
  }
  const wanted = NumberOf(delay);
  const milliseconds = wanted > 0 ? min(wanted, 2147483647) : 0;
  const id = host.armTimer(repeat ? max(milliseconds, 1) : milliseconds, repeat);
  mapSet(timers, id, { __proto__: null, callback, rest, repeat });
  return id;
};
const disarm = (id) => {
  if (mapDelete(timers, id)) {
    host.disarmTimer(id);
  }
};

expose('setTimeout', function setTimeout(callback, delay, ...rest) { return arm(callback, delay, false, rest); });
expose('setInterval', function setInterval(callback, delay, ...rest) { return arm(callback, delay, true, rest); });
expose('clearTimeout', function clearTimeout(id) { disarm(id); });
expose('clearInterval', function clearInterval(id) { disarm(id); });
expose('queueMicrotask', function queueMicrotask(callback) {
  if (typeof callback !== 'function') {
    throw new SafeTypeError('The callback of queueMicrotask must be a function');
  }
  host.queueMicrotask(() => {
    try {
      callback();
    } catch (error) {
      host.uncaught(error);
    }
  });
});

// Called by the host when a timer is due.
const fireTimer = (id) => {
  const timer = mapGet(timers, id);
  if (timer === undefined) {
    return;
  }
  if (!timer.repeat) {
    mapDelete(timers, id);
  }
  apply(timer.callback, undefined, timer.rest);
};
