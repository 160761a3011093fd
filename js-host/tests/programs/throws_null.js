async () => { throw null; }
