() => { nope.x }
