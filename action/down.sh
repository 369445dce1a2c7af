#!/usr/bin/env bash
# Removes what the command booted, however it ended, and nothing else on this engine.
set -euo pipefail

if [ "${IN_COMMAND:-}" = matrix ]; then
  # What an interrupted run left; cells that ended have removed themselves.
  export KCLUSTER_STATE_DIR=$RUNNER_TEMP/kcluster-state
  for folder in "$KCLUSTER_STATE_DIR"/clusters/*; do
    if [ -d "$folder" ]; then
      "$KCLUSTER" kcluster down --name "$(basename -- "$folder")"
    fi
  done
else
  "$KCLUSTER" kcluster down --name "${IN_NAME:-kcluster}"
fi
