() => ({ toJSON() { return [1]; } })
