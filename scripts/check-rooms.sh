#!/bin/sh
# The core crates know neither Python nor each other: data has no HTTP, hub has no Arrow.
set -eu
forbid() {
  crate=$1
  shift
  for name in "$@"; do
    if cargo tree --locked -p "$crate" -e normal --prefix none | grep -q "^$name "; then
      echo "$crate must not depend on $name" >&2
      exit 1
    fi
  done
}
forbid crucible-data reqwest pyo3 crucible-hub axum
forbid crucible-hub arrow-array arrow-schema pyo3 crucible-data
echo "rooms: the core crates are separate"
