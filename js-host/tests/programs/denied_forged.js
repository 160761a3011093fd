() => { const error = new EvalError('Code generation from strings disallowed for this context'); throw error; }
