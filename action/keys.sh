#!/usr/bin/env bash
# What the caches of the action depend on, and where they are.
set -euo pipefail

action=$(cd "$(dirname "$0")/.." && pwd)
hash_of() {
  (cd "$action" && find "$@" -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum) | sha256sum | cut -c1-16
}

cache=${KCLUSTER_CACHE_DIR:-${KCLUSTER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kcluster}}
# Sources only: a build of an earlier step is none.
crates=(Cargo.toml Cargo.lock cli/src cluster/src e2e/src e2e/data images/src matrix/src reports/src)
config=${IN_CONFIG:-kcluster.toml}
{
  echo "target=${CARGO_TARGET_DIR:-$cache/target}"
  echo "cache=$cache"
  echo "source=$(hash_of "${crates[@]}" images/components images/rootfs)"
  echo "images=$(hash_of images/src images/components images/rootfs)"
  # Versions and architectures that will be built.
  echo "settings=$({
    printf '%s\n' "${IN_KUBERNETES:-}" "${IN_ARCH:-}" "${IN_ARGS:-}"
    if [ -f "$config" ]; then cat -- "$config"; fi
  } | sha256sum | cut -c1-16)"
} >>"$GITHUB_OUTPUT"
