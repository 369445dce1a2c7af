#!/usr/bin/env bash
# The report where people look first: the job's page.
set -euo pipefail

if [ "${IN_SUMMARY:-}" = true ]; then
  "$KCLUSTER" kcluster report summary "$REPORT" >>"$GITHUB_STEP_SUMMARY"
fi
if [ "${IN_ANNOTATIONS:-}" = true ]; then
  "$KCLUSTER" kcluster report annotations "$REPORT"
fi
