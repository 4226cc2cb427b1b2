#!/bin/sh
# Runs fuzz targets on the stable toolchain. See README.md.
#
#   fuzz/run.sh --ci                  100,000 inputs a target or 6 seconds, nothing but Rust needed
#   fuzz/run.sh TARGET [SECONDS]      guided by coverage (libFuzzer; needs a C++ compiler)
#   fuzz/run.sh --file FILE TARGET    one input again, with a backtrace
set -eu
cd "$(dirname "$0")"
CARGO=${CARGO:-cargo}
# One place for what is built, so that a second run builds nothing.
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/../target}"

runner() {
    $CARGO build --quiet --locked --bin runner
    "$CARGO_TARGET_DIR/debug/runner" "$@"
}

# The flags that cargo-fuzz gives, without the sanitizer that only nightly has: stable rustc takes LLVM's
# coverage pass, and libFuzzer is a library.
guided() {
    target=$1
    seconds=$2
    host=$($CARGO -vV | sed -n 's/^host: //p')
    flags="--cfg fuzzing -Ccodegen-units=1 -Cdebug-assertions -Cpasses=sancov-module"
    for option in level=4 inline-8bit-counters pc-table trace-compares; do
        flags="$flags -Cllvm-args=-sanitizer-coverage-$option"
    done
    # With a target named, the flags are not for build scripts and macros, which have no libFuzzer to link.
    RUSTFLAGS="$flags" $CARGO build --locked --release --target "$host" --features libfuzzer --bin "$target"
    mkdir -p "corpus/$target" "artifacts/$target"
    "$CARGO_TARGET_DIR/debug/runner" --write "corpus/$target" "$target"
    "$CARGO_TARGET_DIR/$host/release/$target" -max_total_time="$seconds" -timeout=10 -max_len=16384 \
        -artifact_prefix="artifacts/$target/" "corpus/$target"
}

case "${1:-}" in
# With a seed, so that a change fails for what it did and not by chance; without one in long runs.
--ci) runner --seed 1 --runs 100000 --seconds 6 ;;
--file) RUST_BACKTRACE=1 runner --file "$(cd .. && realpath "$2")" "$3" ;;
"" | -*)
    sed -n '2,6p' "$0" >&2
    exit 2
    ;;
*)
    $CARGO build --quiet --locked --bin runner
    guided "$1" "${2:-60}"
    ;;
esac
