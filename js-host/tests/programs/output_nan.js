() => NaN
