// params: {"name":"Neo","n":2}
(params = {}, secrets = {}) => {
  return { greeting: `Hello ${params.name}`, twice: params.n * 2 };
}
