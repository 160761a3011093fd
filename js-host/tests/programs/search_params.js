() => {
  const params = new URLSearchParams('?b=2&a=1&b=3&c=%20+x');
  params.set('b', '9');
  params.append('d', 'e&f');
  const sorted = new URLSearchParams([['z', '1'], ['a', '2']]);
  sorted.sort();
  return {
    text: params.toString(), all: params.getAll('b'), c: params.get('c'), none: params.get('none'), has: [params.has('d'), params.has('d', 'x')],
    list: [...params], keys: [...params.keys()], values: [...params.values()], size: params.size,
    record: new URLSearchParams({ q: '1 2', r: 'x' }).toString(), copy: new URLSearchParams(params).toString(), sorted: sorted.toString(),
  };
}
