async () => {
  await fetch('http://refused.example/');
}
