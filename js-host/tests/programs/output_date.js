() => new Date(0)
