#!/usr/bin/env bash
# Build the image and try it, without a Docker daemon: `make image-check`, as root on Debian or Ubuntu, three to five minutes.
# The base is built from Debian's packages instead of being pulled, the Dockerfile is built as it is by buildah, and the
# image is run by podman: read-only, without capabilities, as the user of the Dockerfile.
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
work="${IMAGE_CHECK:-/var/tmp/emovox-image}"
port="${PORT:-18766}"
suite=trixie # its python3 is 3.13, as that of the base in the Dockerfile
store=(--root "$work/store" --runroot "$work/run" --storage-driver overlay)
say() { printf '== %s (after %d s)\n' "$1" "$SECONDS"; }
need() { command -v "$1" > /dev/null; }

mkdir -p "$work"
if ! { need buildah && need mmdebstrap && need podman && need runc && need conmon; }; then
    say "install what builds and runs images"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        buildah mmdebstrap runc podman conmon golang-github-containers-common > "$work/apt.log"
fi

if ! buildah "${store[@]}" inspect --type image docker.io/library/python:3.13-slim > /dev/null 2>&1; then
    say "base: Debian $suite with its Python, in place of python:3.13-slim"
    mirror="$(apt-get indextargets --format '$(REPO_URI)' | grep -v security | sort -u | head -n 1)"
    docs=() # which the published base lacks, too
    for path in man doc locale; do docs+=("--dpkgopt=path-exclude=/usr/share/$path/*"); done
    mmdebstrap --quiet --variant=minbase "${docs[@]}" --include=python3,python3-venv,ca-certificates "$suite" "$work/base.tar" "$mirror"
    base="$(buildah "${store[@]}" from scratch)"
    buildah "${store[@]}" add --quiet "$base" "$work/base.tar" /
    rm "$work/base.tar"
    buildah "${store[@]}" run --isolation chroot "$base" -- ln -s python3 /usr/bin/python
    buildah "${store[@]}" config --env PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin --cmd python3 "$base"
    buildah "${store[@]}" commit --quiet --rm "$base" docker.io/library/python:3.13-slim
fi

say "build docker/Dockerfile"
mounts=()
certificates=/etc/ssl/certs/ca-certificates.crt
if [[ -f "$certificates" ]]; then mounts+=(--volume "$certificates:$certificates:ro"); fi # those of the network here
printf '[global]\ncert = %s\ntimeout = 180\n' "$certificates" > "$work/pip.conf"
if [[ -n "${PIP_INDEX_URL:-}" ]]; then printf 'index-url = %s\n' "$PIP_INDEX_URL" >> "$work/pip.conf"; fi
mounts+=(--volume "$work/pip.conf:/etc/pip.conf:ro")
buildah "${store[@]}" bud --quiet --isolation chroot --network host --pull-never --format docker \
    "${mounts[@]}" -f "$root/docker/Dockerfile" -t localhost/emovox:test "$root"
size="$(buildah "${store[@]}" inspect --type image --format '{{.FromImageID}}' localhost/emovox:test > /dev/null \
    && podman "${store[@]}" image inspect --format '{{.Size}}' localhost/emovox:test)"
echo "size: $((size / 1000000)) MB"

run=(podman "${store[@]}" --cgroup-manager cgroupfs --runtime runc run --network host --pids-limit -1
    --ulimit nofile=1024:1024 --ulimit nproc=4096:4096 --read-only --tmpfs /tmp --no-healthcheck --cap-drop all
    --security-opt no-new-privileges)

say "predict in it, read-only, as user 10001"
"${run[@]}" --rm --volume "$root/examples:/recordings:ro" localhost/emovox:test predict /recordings/demo.flac
"${run[@]}" --rm --entrypoint id localhost/emovox:test | grep '^uid=10001'
"${run[@]}" --rm localhost/emovox:test doctor | tail -n 1

say "serve in it: health, a recording, a live stream, an end"
name="$("${run[@]}" -d -e EMOVOX_SERVE_HOST=127.0.0.1 -e EMOVOX_SERVE_PORT="$port" localhost/emovox:test)"
trap 'podman "${store[@]}" --cgroup-manager cgroupfs --runtime runc rm -f "$name" > /dev/null' EXIT
for _ in $(seq 60); do
    if curl --silent --fail "http://127.0.0.1:$port/healthz" > "$work/health.json"; then break; fi
    sleep 0.5
done
cat "$work/health.json"
echo
curl --silent --show-error --fail-with-body -F "file=@$root/examples/demo.flac" "http://127.0.0.1:$port/v1/emotions" | cut -c 1-160
podman "${store[@]}" --cgroup-manager cgroupfs --runtime runc exec "$name" python /healthcheck.py && echo "healthcheck: ok"
podman "${store[@]}" --cgroup-manager cgroupfs --runtime runc exec -i "$name" python - "$port" < "$root/docker/try_stream.py"
podman "${store[@]}" --cgroup-manager cgroupfs --runtime runc stop --time 20 "$name" > /dev/null
code="$(podman "${store[@]}" inspect --format '{{.State.ExitCode}}' "$name")"
echo "stopped with status $code"
test "$code" = 0
say "the image works"
