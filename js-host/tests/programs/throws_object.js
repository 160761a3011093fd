() => { throw { code: 7 }; }
