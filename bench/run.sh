#!/bin/sh
# The benchmark's one command: bench/run.sh [ROW…] [--quick] [--check] …
# See bench/run.sh --help and docs/performance.md.
exec python3 -B "$(dirname "$0")/main.py" "$@"
