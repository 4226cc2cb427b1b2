#!/bin/sh
# Installs the programs that the tests use as clients and servers, where something is missing and this user
# may. Otherwise it says what to install and lets the tests go on: those that need a missing program say so.
set -eu

# Program and the Debian package that brings it.
tools="nginx:nginx-full curl:curl wrk:wrk openssl:openssl ip:iproute2 unshare:util-linux setpriv:util-linux
    python3:python3-minimal cc:gcc dig:bind9-dnsutils dnsmasq:dnsmasq-base
    psql:postgresql-client pg_ctlcluster:postgresql
    brotli:brotli zstd:zstd redis-server:redis-server testssl:testssl.sh"

# grpcio from PyPI, in an environment of its own, where the tests look for it.
grpcio() {
    venv="${XDG_CACHE_HOME:-$HOME/.cache}/bifrons-tests"
    if "$venv/bin/python" -c 'import grpc' 2>/dev/null; then
        return
    fi
    echo "installing: grpcio" >&2
    if ! { python3 -m venv "$venv" && "$venv/bin/pip" install --quiet --disable-pip-version-check grpcio==1.85.3; } >/dev/null 2>&1; then
        echo "! could not install grpcio from PyPI; tests that need it will say so" >&2
    fi
}

missing=
for tool in $tools; do
    command -v "${tool%%:*}" >/dev/null 2>&1 || missing="$missing ${tool##*:}"
done
python3 -c 'import ensurepip' 2>/dev/null || missing="$missing python3-venv"
if [ -z "$missing" ]; then
    grpcio
    exit 0
fi

if [ "$(id -u)" = 0 ]; then
    as_root=
elif sudo -n true 2>/dev/null; then
    as_root="sudo -n"
else
    as_root=none
fi
if [ "$as_root" = none ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "! the tests need programs that are not here. On Debian: sudo apt-get install$missing" >&2
    exit 0
fi

echo "installing:$missing" >&2
# Packages must not start their servers: nginx would take port 80.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
    $as_root chmod 755 "$policy"
    trap '$as_root rm -f "$policy"' EXIT INT TERM
fi
$as_root apt-get update -qq || true
# The list of packages is words on purpose.
# shellcheck disable=SC2086
if ! $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null; then
    echo "! could not install$missing; tests that need them will say so" >&2
fi
grpcio
