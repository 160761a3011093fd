#!/usr/bin/env bash
# Lays out something to look at, through the API: an account, a secret, functions, executions that end in every way.
# Needs SERVICE_LAYER_ADDR and SERVICE_LAYER_TOKEN; SLCTL names the program.
set -euo pipefail

slctl() { "${SLCTL:-slctl}" "$@"; }

function_id() { slctl functions create --name "$1" --description "$2" --source "$3" -o name "${@:4}"; }

# A function that fails is an execution that failed: the demo wants some.
execute() { slctl functions execute "$@" -o name >/dev/null || [ $? -eq 10 ]; }

SERVICE_LAYER_ACCOUNT=$(slctl accounts create --owner demo -o name)
export SERVICE_LAYER_ACCOUNT

printf 'sesame' | slctl secrets create --name password --value-file - >/dev/null
greet=$(function_id greet "Greets, and knows a secret it does not tell" \
    '(params, secrets) => { console.log("the password is", secrets.password); return "Hello, " + params.name + "!"; }' --secrets password)
fib=$(function_id fibonacci "Works for a moment" \
    'export default ({ n }) => { const f = (n) => n < 2 ? n : f(n - 1) + f(n - 2); return f(n); }')
broken=$(function_id broken "Throws" 'export default ({ id }) => { throw new RangeError("there is no item " + id); }')
endless=$(function_id endless "Never ends, and is ended" '() => { for (;;); }' --limits cpu=200ms)
slow=$(function_id slow "Takes half a minute" 'async () => { await new Promise((done) => setTimeout(done, 25000)); return "at last"; }')

for name in Ada Grace Barbara; do execute "$greet" --params "{\"name\": \"$name\"}"; done
execute "$fib" --params '{"n": 24}'
execute "$broken" --params '{"id": 7}'
execute "$endless"
execute "$slow" --wait 0s

echo "account  $SERVICE_LAYER_ACCOUNT"
