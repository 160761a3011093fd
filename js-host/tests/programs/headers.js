() => {
  const headers = new Headers({ 'X-B': '2', 'x-a': ' 1 ' });
  headers.append('X-A', '3');
  headers.set('x-c', 'c');
  headers.delete('X-B');
  return { list: [...headers], get: headers.get('X-a'), none: headers.get('no'), has: headers.has('x-C'), copy: [...new Headers(headers)] };
}
