// params: {"n":3}
async (params, secrets) => {
  let total = 0;
  for (let i = 0; i < params.n; i++) {
    total += await new Promise((resolve) => setTimeout(() => resolve(i), 1));
  }
  return { total };
}
