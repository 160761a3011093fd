() => { const error = new Error('with a name'); error.name = 'QuotaError'; throw error; }
