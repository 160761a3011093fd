async () => {
  const controller = new AbortController();
  const events = [];
  controller.signal.addEventListener('abort', (event) => events.push(event.type));
  controller.abort(new Error('enough'));
  let early;
  try { await fetch('https://example.org/', { signal: controller.signal }); } catch (error) { early = error.message; }
  const timeout = AbortSignal.timeout(1);
  await new Promise((resolve) => setTimeout(resolve, 5));
  let illegal;
  try { new AbortSignal(); } catch (error) { illegal = error.message; }
  return { events, early, aborted: controller.signal.aborted, timeout: timeout.reason.name, illegal };
}
