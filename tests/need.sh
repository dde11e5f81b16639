#!/usr/bin/env bash
# Which programs do the tests and the bench need, and where do they come from? Each argument is one
# of the names below; what is missing is installed from Debian's packages when this runs as root,
# and named otherwise. mitmproxy needs Python 3.12 or newer: where .venv is older it gets an environment
# of its own.
set -euo pipefail

declare -A packages=(
    [nginx]="nginx"
    [apache2]="apache2-bin"
    [openssl]="openssl"
    [curl]="curl"
    [haproxy]="haproxy"
    [wrk]="wrk"
    [h2load]="nghttp2-client"
    [strace]="strace"
    [seccomp]="libseccomp2"
    [faketime]="libfaketime"
    [prometheus]="prometheus"
    [chromium]="chromium"
    [modsecurity]="libnginx-mod-http-modsecurity modsecurity-crs"
    [rustfmt]="rustfmt"
    [clippy]="rust-clippy"
)

venv="$(cd "$(dirname "$0")/.." && pwd)/.venv"
mitmproxy=$venv/bench/mitmproxy

install_mitmproxy() {
    local python found=
    mkdir -p "$venv/bench"
    if "$venv/bin/mitmdump" --version >/dev/null 2>&1; then
        ln -sfn .. "$mitmproxy"
        return
    fi
    for python in "$venv/bin/python" python3.{14,13,12} "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.1[2-4].*/bin/python3 python3; do
        if "$python" -c 'import sys, venv; sys.exit(sys.version_info < (3, 12))' 2>/dev/null; then
            found=$python
            break
        fi
    done
    [ -n "$found" ] || { echo "need: mitmproxy needs Python 3.12 or newer, and none was found" >&2; exit 3; }
    echo "need: installing mitmproxy" >&2
    rm -rf "$mitmproxy"
    if ! { "$found" -m venv "$mitmproxy" &&
        "$mitmproxy/bin/python" -m pip --quiet --disable-pip-version-check install 'mitmproxy>=12.2,<13'; }; then
        rm -rf "$mitmproxy"
        echo "need: mitmproxy cannot be installed" >&2
        exit 3
    fi
}

present() {
    case $1 in
    faketime) compgen -G "/usr/lib/*/faketime/libfaketimeMT.so.1" >/dev/null ;;
    seccomp) ldconfig -p | grep -q libseccomp.so.2 ;;
    modsecurity) [ -e /usr/lib/nginx/modules/ngx_http_modsecurity_module.so ] && [ -d /usr/share/modsecurity-crs/rules ] ;;
    rustfmt) cargo fmt --version >/dev/null 2>&1 ;;
    clippy) cargo clippy --version >/dev/null 2>&1 ;;
    mitmproxy) "$mitmproxy/bin/mitmdump" --version >/dev/null 2>&1 ;;
    cargo-fuzz) cargo +nightly fuzz --version >/dev/null 2>&1 ;;
    *) command -v "$1" >/dev/null ;;
    esac
}

missing=()
rust=()
for name in "$@"; do
    present "$name" && continue
    if [ "$name" = mitmproxy ]; then
        install_mitmproxy
        continue
    fi
    if [ "$name" = cargo-fuzz ]; then
        rustup run nightly rustc --version >/dev/null 2>&1 ||
            { echo "need: fuzzing by coverage needs a nightly Rust: rustup toolchain install nightly" >&2; exit 3; }
        echo "need: building cargo-fuzz" >&2
        cargo install --quiet --locked cargo-fuzz
        continue
    fi
    case $name in
    rustfmt | clippy) rust+=("$name") ;;
    esac
    read -ra wanted <<<"${packages[$name]}"
    missing+=("${wanted[@]}")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if [ ${#rust[@]} -gt 0 ] && command -v rustup >/dev/null; then
    echo "need: these parts of Rust are missing; install them with: rustup component add ${rust[*]}" >&2
    exit 3
fi
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "need: missing; install them with: apt-get install ${missing[*]}" >&2
    exit 3
fi

echo "need: installing ${missing[*]}" >&2
if [ ! -e /usr/sbin/policy-rc.d ]; then # the tests start their own servers; Debian shall start none
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod +x /usr/sbin/policy-rc.d
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null 2>&1 ||
    { apt-get update -qq && apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null; }
