#!/usr/bin/env bash
# The kcluster that the other steps use: the one given, the one cached, or one built from this action's own source.
set -euo pipefail

action=$(cd "$(dirname "$0")/.." && pwd)
# A runner of one's own may bring it along.
binary=${IN_BINARY:-${KCLUSTER_BIN:-}}
if [ -z "$binary" ]; then
  binary=$TARGET/release/cargo-kcluster
  if [ ! -x "$binary" ]; then
    cargo build --locked --release --package cargo-kcluster --manifest-path "$action/Cargo.toml" --target-dir "$TARGET"
  fi
fi
binary=$(realpath -- "$binary")
"$binary" kcluster --version
{
  echo "binary=$binary"
} >>"$GITHUB_OUTPUT"
dirname -- "$binary" >>"$GITHUB_PATH"
