async () => {
  await new Promise(() => {});
}
