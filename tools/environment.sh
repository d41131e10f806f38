#!/bin/sh
# Makes or renews .venv, with everything the verbs of the Makefile need, on a machine that has only
# a Python. PYTHON=... names the interpreter; otherwise the first fit one of the usual names is
# taken. The stamp .venv/ready holds the folder: the scripts of an environment do not survive a move.
set -eu
cd "$(dirname "$0")/.."
here=$(pwd -P)

fit() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null
}

version_of() {
    "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || echo unknown
}

refuse() {
    printf '%s\n' "$@" >&2
    exit 1
}

if [ -n "${PYTHON:-}" ]; then
    command -v "$PYTHON" >/dev/null || refuse "PYTHON=$PYTHON: there is no such command"
    fit "$PYTHON" || refuse \
        "PYTHON=$PYTHON is Python $(version_of "$PYTHON"); convolved needs 3.11, 3.12 or 3.13"
    python=$PYTHON
else
    python=
    for name in python3 python3.13 python3.12 python3.11 python; do
        if fit "$name"; then
            python=$name
            break
        fi
    done
    [ -n "$python" ] || refuse \
        "convolved needs Python 3.11, 3.12 or 3.13; python3 here is $(version_of python3)" \
        "install one of them, or name it: make PYTHON=/path/to/python3.12"
fi

version=$(version_of "$python")
if [ "$(cat .venv/ready 2>/dev/null)" != "$here" ] ||
    [ "$(version_of .venv/bin/python)" != "$version" ]; then
    "$python" -c 'import ensurepip, venv' 2>/dev/null || refuse \
        "Python $version here cannot make virtual environments: ensurepip or venv is missing" \
        "on Debian and Ubuntu: apt-get install python3-venv   (or python$version-venv)"
    echo "making .venv with Python $version"
    "$python" -m venv --clear .venv
fi
echo "installing convolved with the extras cli and dev into .venv (a minute or two, once)"
.venv/bin/python -m pip install --quiet --quiet --disable-pip-version-check --editable '.[cli,dev]'
echo "$here" >.venv/ready
