# shellcheck shell=bash
# The checks of check.sh, which sources this file and sets these variables:
: "${work:?a folder for files}" "${root:?of the repository}" "${model:?a folder}"

passed=0
failed=0
check() { # NAME COMMAND...; returns whether it passed
  local name=$1
  shift
  if "$@" > "$work/check.log" 2>&1; then
    echo "passed: $name"
    ((++passed))
  else
    tail -n 20 "$work/check.log" >&2
    echo "FAILED: $name" >&2
    ((++failed))
    return 1
  fi
}

# As docs/images.md recommends. Without --read-only-tmpfs=false, podman adds folders for temporary
# files, which Kubernetes does not.
readonly CONFINED=(--pull never --read-only --read-only-tmpfs=false --cap-drop all
  --security-opt no-new-privileges)
inside() { # IMAGE COMMAND...
  podman run --rm --no-healthcheck --network none "${CONFINED[@]}" "localhost/apollo/$1" "${@:2}"
}
setting() { podman image inspect --format "$2" "localhost/apollo/$1"; } # IMAGE FORMAT

check_settings() { # IMAGE
  [[ $(setting "$1" '{{.Config.User}}') == 10001:10001 ]] &&
    setting "$1" '{{json .HealthCheck}}' | grep -F '"apollo","health"' &&
    setting "$1" '{{index .Labels "org.opencontainers.image.title"}}' | grep -F Apollo-MoE &&
    setting "$1" '{{index .Labels "org.opencontainers.image.description"}}' | grep . &&
    setting "$1" '{{index .Labels "org.opencontainers.image.licenses"}}' | grep -Fx Apache-2.0
}
# shellcheck disable=SC2016 # The shell in the container expands it.
check_user() { inside "$1" sh -c '[ "$(id -u):$(id -G)" = 10001:10001 ] && ! touch /home/file'; }
# ldd prints "not found" for a missing library.
# shellcheck disable=SC2016 # As above.
check_libraries() {
  inside "$1" sh -c 'ldd /usr/local/bin/* $(find /usr/local/lib -name "*.so*")' > "$work/ldd.txt" &&
    ! grep -F 'not found' "$work/ldd.txt"
}
# Ignores the exit code, because Debian's Abseil ends --help with 1.
check_help() { # IMAGE PROGRAM TEXT
  inside "$1" "$2" --help > "$work/help.txt"
  grep -F -e "$3" "$work/help.txt"
}
# The loader prints a message if it does not find the library, or cannot load it.
check_nccl() {
  inside cuda-worker sh -c 'LD_PRELOAD=libnccl.so.2 /bin/true 2>&1' > "$work/loader.txt" &&
    [[ ! -s $work/loader.txt ]]
}
check_nvcc() {
  podman run --rm --pull never --network none --volume "$root:/src:ro" localhost/apollo/cuda \
    /usr/local/cuda/bin/nvcc -std=c++20 -O1 -arch=sm_90 -I/src -lib -o /tmp/rows.a /src/kernels/cuda/rows.cu
}

check_images() {
  local image program
  for image in router cpu-worker cuda-worker; do
    check "$image: settings" check_settings "$image"
    check "$image: user, read-only" check_user "$image"
    check "$image: libraries" check_libraries "$image"
    check "$image: apollo" check_help "$image" apollo health
  done
  check "router: router" check_help router router --dense_workers
  for program in dense_worker expert_worker; do
    check "cpu-worker: $program" check_help cpu-worker "$program" --expert_workers
    check "cuda-worker: $program" check_help cuda-worker "$program" --expert_workers
  done
  check "cuda-worker: NCCL" check_nccl
  check "cuda: compiler" check_nvcc
}

# --- A cluster in one network namespace, like a pod -------------------------

readonly CLUSTER=apollo-check-$$
containers=()

start() { # NAME IMAGE PORT COMMAND...
  local name=$CLUSTER-$1 network=none
  if ((${#containers[@]} > 0)); then network=container:${containers[0]}; fi
  containers+=("$name") # Even if it does not start, it has been created.
  podman run --detach --name "$name" --network "$network" "${CONFINED[@]}" \
    --volume "$model:/model:ro" --env "APOLLO_SERVER=127.0.0.1:$3" "localhost/apollo/$2" "${@:4}" \
    --model=/model "--name=$1" "--listen=0.0.0.0:$3" "--metrics_listen=0.0.0.0:$(($3 + 1000))" --allow_plaintext
}
stop_cluster() {
  local name
  for ((i = ${#containers[@]} - 1; i >= 0; --i)); do
    name=${containers[i]}
    podman rm --force --time 1 "$name" > /dev/null 2>&1
  done
  containers=()
}
logs() {
  local name
  for name in "${containers[@]}"; do
    echo "--- $name"
    podman logs --tail 5 "$name" 2>&1
  done
}

start_cluster() {
  local peers=127.0.0.1:7101,127.0.0.1:7102
  start expert-worker-0 cpu-worker 7101 expert_worker --weights=int8 --experts=0,1,2,3 --expert_workers=$peers &&
    start expert-worker-1 cpu-worker 7102 expert_worker --weights=int8 --experts=4,5,6 --expert_workers=$peers &&
    start dense-worker-0 cpu-worker 7001 dense_worker --weights=int8 --expert_workers=$peers &&
    start router router 50051 router --dense_workers=127.0.0.1:7001
}
running() { [[ $(podman inspect --format '{{.State.Running}}' "$1") == true ]]; }
# Runs the health check of each image.
check_health() {
  local name end=$((SECONDS + 120))
  for name in "${containers[@]}"; do
    until podman healthcheck run "$name"; do
      if ((SECONDS >= end)) || ! running "$name"; then
        logs
        return 1
      fi
      sleep 1
    done
  done
}
check_answer() {
  podman exec "$CLUSTER-router" apollo ask --max_new_tokens 8 "What is asthma?" | grep . || { logs; false; }
}
check_metrics() { # NAME PORT
  nsenter --net --target "$(podman inspect --format '{{.State.Pid}}' "$CLUSTER-$1")" \
    curl --silent --fail --max-time 5 "http://127.0.0.1:$2/metrics" | grep '^apollo_'
}
check_stop() { # NAME
  local code
  podman stop --time 60 "$CLUSTER-$1" && code=$(podman inspect --format '{{.State.ExitCode}}' "$CLUSTER-$1")
  if [[ ${code:-} != 0 ]]; then
    logs
    return 1
  fi
}

check_cluster() {
  local name
  if check "cluster: start" start_cluster && check "cluster: health" check_health; then
    check "cluster: answer" check_answer
    check "cluster: metrics" check_metrics router 51051
    for name in router dense-worker-0 expert-worker-1 expert-worker-0; do
      check "cluster: $name stops" check_stop "$name"
    done
  fi
  stop_cluster
}
