#!/usr/bin/env bash
# Builds the image, runs it as an operator would, convolves from outside, and stops it. No registry
# of images and no running container engine is needed: the base is made of Debian's packages, and
# podman keeps all it has in a folder that is removed at the end. Needs root on Debian.
set -euo pipefail
cd "$(dirname "$0")/.."
# With a point in EPOCHREALTIME, whatever the language of the machine.
export LC_ALL=C
# Health is asked for here, not by timers of systemd.
export DISABLE_HC_SYSTEMD=true

packages=(buildah podman crun mmdebstrap)
largest=450000000
base=localhost/python-base:3.11
image=localhost/convolved:test
authorities=/etc/ssl/certs/ca-certificates.crt
cache=${XDG_CACHE_HOME:-$HOME/.cache}/convolved
python=${CHECK_PYTHON:-.venv/bin/python}

say() { printf 'image-test %3d s: %s\n' "$SECONDS" "$*"; }

fail() {
    say "FAILED: $*" >&2
    exit 1
}

install_packages() {
    local missing=()
    for package in "${packages[@]}"; do
        command -v "$package" >/dev/null || missing+=("$package")
    done
    [[ ${#missing[@]} -eq 0 ]] && return
    command -v apt-get >/dev/null || fail "needs ${missing[*]}, and there is no apt-get here"
    say "installing ${missing[*]}"
    apt-get update -qq || say "not every source of packages was reached"
    DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends "${missing[@]}" \
        >"$work/apt.log" 2>&1 || { cat "$work/apt.log" >&2; fail "the packages are not installed"; }
}

# What the public slim image of Python is made of, too: Debian without documentation or Perl.
make_base() {
    [[ -e $cache/base.tar ]] && return
    say "making a base from Debian's packages"
    mkdir -p "$cache"
    # From where this machine takes them, else from where mmdebstrap does.
    local mirror source=()
    mirror=$(sed -n 's/^URIs: *\([^ ]*\).*/\1/p' /etc/apt/sources.list.d/debian.sources 2>/dev/null | head -n 1) || true
    [[ -z $mirror ]] || source=("deb $mirror bookworm main")
    mmdebstrap --quiet --variant=minbase --include=python3,python3-venv,ca-certificates \
        --dpkgopt='path-exclude=/usr/share/doc/*' \
        --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' \
        --customize-hook='rm -r "$1"/usr/share/perl "$1"/usr/lib/*/perl "$1"/etc/apt/sources.list' \
        bookworm "$work/base.tar" "${source[@]}" >"$work/base.log" 2>&1 ||
        { tail -n 20 "$work/base.log" >&2; fail "no base could be made"; }
    mv "$work/base.tar" "$cache/base.tar"
}

configure() {
    export CONTAINERS_STORAGE_CONF=$work/storage.conf CONTAINERS_CONF=$work/containers.conf
    cat >"$CONTAINERS_STORAGE_CONF" <<END
[storage]
driver = "overlay"
graphroot = "$work/graph"
runroot = "$work/run"
END
    cat >"$CONTAINERS_CONF" <<END
[containers]
cgroups = "disabled"
netns = "host"
default_ulimits = ["nofile=1024:$(ulimit -Hn)", "nproc=1024:4096"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "crun"
END
}

build() {
    local trust=()
    # Where the network has an authority of its own, pip needs to know it while the image is built.
    [[ -e $authorities ]] && trust=(--volume "$authorities:$authorities:ro")
    say "building the image"
    podman import --quiet "$cache/base.tar" "$base" >/dev/null
    buildah bud --isolation chroot --pull-never --format docker "${trust[@]}" \
        --build-arg "PYTHON_IMAGE=$base" --file docker/Dockerfile --tag "$image" . \
        >"$work/build.log" 2>&1 || { tail -n 40 "$work/build.log" >&2; fail "the image is not built"; }
}

check_size() {
    local size
    size=$(podman image inspect "$image" --format '{{.Size}}')
    say "the image has $((size / 1000000)) MB, its base $(($(podman image inspect "$base" --format '{{.Size}}') / 1000000)) MB"
    ((size < largest)) || fail "the image has to stay under $((largest / 1000000)) MB"
}

# start NAME OPTION...: without root, rights, or anything that can be written but what options give.
start() {
    local name=$1
    shift
    podman run --detach --name "$name" --read-only --cap-drop all \
        --security-opt no-new-privileges --health-interval disable "$@" "$image" >/dev/null
}

healthy() {
    local name=$1 began=$EPOCHREALTIME
    for ((attempt = 0; attempt < 100; attempt++)); do
        if podman healthcheck run "$name" >/dev/null 2>&1; then
            say "$name is healthy after $(took "$began")"
            return
        fi
        [[ $(podman inspect "$name" --format '{{.State.Running}}') == true ]] || break
        sleep 0.2
    done
    fail "$name does not become healthy"
}

took() { "$python" -c "print(f'{$EPOCHREALTIME - $1:.1f} s')"; }

# Nothing that runs there is root, or could become it.
check_rights() {
    local status
    status=$(<"/proc/$(podman inspect "$1" --format '{{.State.Pid}}')/status")
    grep -q $'^Uid:\t65532\t65532' <<<"$status" || fail "$1 runs as another user than 65532"
    grep -q $'^CapBnd:\t0*$' <<<"$status" || fail "$1 has capabilities"
    grep -q $'^NoNewPrivs:\t1$' <<<"$status" || fail "$1 may gain privileges"
    ! podman exec "$1" touch /venv/written 2>/dev/null || fail "$1 can write to its root"
    say "$1 runs as user 65532, without capabilities, on a root it cannot write to"
}

stop() {
    local name=$1 began=$EPOCHREALTIME code
    podman stop --time 30 "$name" >/dev/null
    code=$(podman inspect "$name" --format '{{.State.ExitCode}}')
    say "$name ended with $code, $(took "$began") after SIGTERM"
    [[ $code == 0 ]] || fail "$name has to end with 0"
}

clean_up() {
    local code=$?
    if ((code)); then
        for name in $(podman ps --all --format '{{.Names}}'); do
            printf -- '--- the last lines of %s\n' "$name" >&2
            podman logs --tail 40 "$name" >&2 || true
        done
    fi
    podman rm --all --force --time 0 >/dev/null || true
}

inside() {
    trap clean_up EXIT
    # crun refuses a hierarchy of both versions.
    if mountpoint --quiet /sys/fs/cgroup/unified; then umount /sys/fs/cgroup/unified; fi
    configure
    build
    check_size

    local port
    port=$("$python" -c "import socket as s; b = s.create_server(('127.0.0.1', 0)); print(b.getsockname()[1])")
    start served --network host --env "CONVOLVED_LISTEN=127.0.0.1:$port"
    healthy served
    check_rights served
    say "convolving from outside"
    "$python" docker/outside.py "127.0.0.1:$port"
    "$python" docker/outside.py --until-drained "127.0.0.1:$port" >"$work/stream" &
    local stream=$!
    until grep -qs open "$work/stream" || ! kill -0 "$stream" 2>/dev/null; do sleep 0.1; done
    stop served
    wait "$stream" || fail "a live stream has to be told of the draining"
    say "$(tail -n 1 "$work/stream")"

    # As it comes, with nowhere to write at all and no network but its own.
    start bare --network none --read-only-tmpfs=false
    healthy bare
    stop bare
}

if [[ ${1:-} == --inside ]]; then
    SECONDS=$2
    inside
    exit
fi
[[ $(id -u) == 0 ]] || fail "needs root, to mount and to make a file system with owners"
[[ -x $python ]] || fail "needs $python, which 'make image-test' makes"
work=$(mktemp --directory "${TMPDIR:-/var/tmp}/convolved-image.XXXXXX")
export work
trap 'rm -rf "$work"' EXIT
install_packages
make_base
# Mounts made in a namespace of their own are gone with it.
unshare --mount --propagation private bash "$0" --inside "$SECONDS"
say "passed"
