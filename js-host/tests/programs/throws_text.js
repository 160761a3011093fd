() => { throw 'just text'; }
