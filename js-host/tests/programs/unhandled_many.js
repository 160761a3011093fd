() => {
  for (let at = 0; at < 1000; at += 1) {
    Promise.reject(at);
  }
}
