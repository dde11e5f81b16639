#!/usr/bin/env bash
# How does a fresh checkout become a place where Stopgap runs? Picks a Python, makes .venv, builds
# the Rust core into it and installs what running needs; `--dev` adds what tests and the bench need.
# Run again it does only what changed: dependencies by pyproject.toml, the core by its sources.
set -euo pipefail
cd "$(dirname "$0")/.."

group=build
if [ "${1:-}" = "--dev" ]; then group=dev; fi
PATH=$PATH:$HOME/.cargo/bin # where rustup puts cargo, also in shells that were open before
venv=.venv
stamps=$venv/stopgap-setup

say() { printf 'setup: %s\n' "$*" >&2; }
stop() { say "$1"; shift; for line in "$@"; do printf '       %s\n' "$line" >&2; done; exit 3; }

suitable() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 15))' 2>/dev/null; }

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        suitable "$PYTHON" || stop "PYTHON=$PYTHON is no Python 3.11 to 3.14."
        command -v "$PYTHON"
        return
    fi
    local minor found
    for minor in 14 13 12 11; do
        for found in "$(command -v python3.$minor || true)" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.$minor.*/bin/python3; do
            if [ -x "$found" ] && suitable "$found"; then echo "$found"; return; fi
        done
    done
    found=$(command -v python3 || true)
    if [ -n "$found" ] && suitable "$found"; then echo "$found"; return; fi
    stop "Python 3.11 or newer is needed, and none was found." \
        "Debian, Ubuntu:  apt-get install python3 python3-venv" \
        "or name one:     make setup PYTHON=/path/to/python3"
}

need_build_tools() {
    command -v cc >/dev/null || stop "a C linker (cc) is needed to build the core, and none was found." \
        "Debian, Ubuntu:  apt-get install gcc libc6-dev"
    command -v cargo >/dev/null || stop "cargo (Rust 1.85 or newer) is needed to build the core, and it was not found." \
        "Debian 13, Ubuntu 25.04 and newer:  apt-get install cargo" \
        "elsewhere: rustup, see https://rustup.rs (then open a new shell, or: . ~/.cargo/env)"
    local version major minor
    version=$(rustc --version | cut -d' ' -f2)
    IFS=. read -r major minor _ <<<"$version"
    [ "$major" -gt 1 ] || [ "$minor" -ge 85 ] || stop "rustc is $version; the core needs 1.85 or newer." \
        "rustup users: rustup update stable"
}

sum_of() { sha256sum "$@" | sha256sum | cut -d' ' -f1; }
sum_of_core() {
    find proxy/stopgap-core pyproject.toml -name target -prune -o -type f -print0 | sort -z | xargs -0 sha256sum |
        sha256sum | cut -d' ' -f1
}
unchanged() { [ "$(cat "$stamps/$1" 2>/dev/null)" = "$2" ]; }

[ -d proxy/stopgap-core ] || stop "this is no checkout of Stopgap: $PWD has no proxy/stopgap-core."
exec 9<proxy/stopgap-core/Cargo.toml
flock 9 # two shells may run `make` at once

"$venv/bin/python" -c '' 2>/dev/null || rm -rf "$venv"
core=$(sum_of_core)
build=no
if ! unchanged core "$core" || ! compgen -G "proxy/stopgap/_core*.so" >/dev/null; then
    build=yes
    need_build_tools
fi

if [ ! -d "$venv" ]; then
    python=$(find_python)
    say "making $venv with $("$python" --version)"
    "$python" -m venv "$venv" || stop "$python cannot make a virtual environment." \
        "Debian, Ubuntu:  apt-get install python3-venv"
fi
mkdir -p "$stamps"
pip=("$venv/bin/python" -m pip --quiet --disable-pip-version-check)

dependencies=$(sum_of pyproject.toml)
if ! unchanged dev "$dependencies" && ! unchanged "$group" "$dependencies"; then
    say "installing what the ${group} group of pyproject.toml names"
    "${pip[@]}" install --upgrade "pip>=25.1" # the first that knows dependency groups
    "${pip[@]}" install --group $group
    echo "$dependencies" >"$stamps/$group"
fi

if [ $build = yes ]; then
    say "building the core (Rust, release; a minute or two the first time)"
    # setuptools calls [tool.distutils] experimental each time; there is no other place for the wheel's abi3 tag
    PYTHONWARNINGS='ignore:`[tool.distutils]`' "${pip[@]}" install --no-build-isolation --editable .
    "$venv/bin/python" -c 'import stopgap._core'
    echo "$core" >"$stamps/core"
fi
