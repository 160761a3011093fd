() => {
  Promise.resolve().then(() => console.log('a microtask still runs'));
  setTimeout(() => console.log('a timer does not'), 0);
  return { done: true };
}
