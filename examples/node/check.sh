#!/usr/bin/env bash
# Runs the example as its README says, in a copy of its own, against a server of this checkout.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=${CHECK_PYTHON:-.venv/bin/python}
work=$(mktemp --directory)
trap 'rm -rf "$work"' EXIT

mkdir -p "$work/examples/node"
cp -R proto "$work"
cp examples/node/{.npmrc,package.json,package-lock.json,*.js} "$work/examples/node"
(cd "$work/examples/node" && npm ci --silent --no-audit --no-fund)

# The server ends when the pipe to its standard input is closed.
coproc SERVER { "$python" -m convolved_server --listen "unix:$work/socket" --until-stdin-closes; }
server=$SERVER_PID
read -r -u "${SERVER[0]}" line
node "$work/examples/node/example.js" "${line#serving on }" | tee "$work/printed"
exec {SERVER[1]}>&-
wait "$server"
diff "$work/printed" - <<'END'
one call: 1 2 3.5 5 6.5 2 2.5
live: 1 2 3.5
live: 5 6.5
live: 2 2.5
whole: 1 2 3.5 5 6.5 2 2.5
INVALID_ARGUMENT (INVALID_ARGUMENT): layers[0].weight: got the empty shape (1, 1, 0); want at least 1 along every axis
in the request: filter.inline.layers[0].conv.weight.shape
END
