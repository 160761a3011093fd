async () => await import('node:fs')
