async () => {
  const order = [];
  setTimeout(() => order.push('c'), 6);
  setTimeout((x, y) => order.push(x + y), 3, 'a', 'b');
  const cancelled = setTimeout(() => order.push('never'), 1);
  clearTimeout(cancelled);
  queueMicrotask(() => order.push('micro'));
  let ticks = 0;
  await new Promise((resolve) => {
    const id = setInterval(() => { ticks += 1; if (ticks === 3) { clearInterval(id); resolve(); } }, 4);
  });
  return { order, ticks, type: typeof cancelled };
}
