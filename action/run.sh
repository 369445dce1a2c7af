#!/usr/bin/env bash
# The action's command. Inputs come as IN_* and are data: none is ever expanded as shell but `run`, which is a command.
set -euo pipefail

# What specs print must not be taken for workflow commands.
token=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
echo "::stop-commands::$token"
trap 'echo "::$token::"' EXIT

refuse() {
  echo "::$token::"
  echo "::error title=kcluster::$1"
  exit "$2"
}

# An output is one line.
say() { printf '%s=%s\n' "$1" "${2//$'\n'/ }" >>"$GITHUB_OUTPUT"; }
kcluster() { "$KCLUSTER" kcluster "$@"; }

# A setting that is not given keeps what the job's environment says.
for key in KUBERNETES CNI ARCH NODES EGRESS KUBE_PROXY_MODE FEATURE_GATES RUNTIME_CONFIG CONFIG RETRIES TIMEOUT; do
  input=IN_$key
  if [ -n "${!input:-}" ]; then
    export "KCLUSTER_$key=${!input}"
  fi
done

name=${IN_NAME:-kcluster}
out=${IN_REPORT_DIR:-$RUNNER_TEMP/kcluster-report-$name}
# One line of words; what is in them is not looked at again.
args=()
read -r -a args <<<"${IN_ARGS:-}"

specs() {
  local flags=(--name "$name" --report-dir "$out")
  if [ -n "${IN_FOCUS:-}" ]; then flags+=("--focus=$IN_FOCUS"); fi
  if [ -n "${IN_SKIP:-}" ]; then flags+=("--skip=$IN_SKIP"); fi
  if [ -n "${IN_LABEL_FILTER:-}" ]; then flags+=("--label-filter=$IN_LABEL_FILTER"); fi
  if [ -n "${IN_SHARD:-}" ]; then flags+=("--shard=$IN_SHARD"); fi
  if [ "${IN_ALL:-}" = true ]; then flags+=(--all); fi
  kcluster e2e "${flags[@]}" "${args[@]}"
}

up() {
  kcluster up --name "$name"
  say kubeconfig "$(kcluster kubeconfig --name "$name" --path)"
}

# The report of what was run, whatever its verdict.
told() {
  if [ -f "$out/report.json" ]; then
    say report "$out"
    say junit "$out/junit.xml"
    kcluster report totals "$out" >>"$GITHUB_OUTPUT"
  fi
}

code=0
case ${IN_COMMAND:-} in
  install) ;;
  up) up ;;
  down) kcluster down --name "$name" ;;
  e2e)
    up
    specs || code=$?
    told
    ;;
  run)
    if [ -z "${IN_RUN:-}" ]; then
      refuse 'the command run needs the input run' 2
    fi
    up
    kubeconfig=$(kcluster kubeconfig --name "$name" --path)
    KUBECONFIG=$kubeconfig KCLUSTER_NAME=$name bash -euo pipefail -c "$IN_RUN" || code=$?
    ;;
  plan)
    matrix=$(kcluster matrix github "${args[@]}")
    say matrix "$matrix"
    ;;
  matrix)
    # Of its own, so that the clean-up knows what is this run's.
    export KCLUSTER_STATE_DIR=$RUNNER_TEMP/kcluster-state
    kcluster matrix run --report-dir "$out" "${args[@]}" || code=$?
    told
    ;;
  report)
    folders=()
    while IFS= read -r -d '' file; do
      folders+=("$(dirname -- "$file")")
    done < <(find "${IN_REPORTS:-.}" -mindepth 1 -maxdepth 2 -name report.json -print0 | LC_ALL=C sort -z)
    if [ "${#folders[@]}" -eq 0 ]; then
      refuse 'no report to merge; did each job upload its own?' 3
    fi
    kcluster report merge --report-dir "$out" "${folders[@]}" || code=$?
    told
    ;;
  *)
    refuse 'the input command is none of e2e, run, up, down, plan, matrix, report, install' 2
    ;;
esac
exit "$code"
