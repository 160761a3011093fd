() => [1, 'two', null, undefined, { three: 3 }]
