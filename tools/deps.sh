#!/bin/sh
# Installs (or only checks for) the Debian packages each purpose needs, and the tests' Python packages in a folder of
# their own. Quick when nothing is missing.
#
#   tools/deps.sh check   build|test|browser|clients|deploy|fuzz|llama|bases   exit 1 and say what to do when something is missing
#   tools/deps.sh install build|test|browser|clients|deploy|fuzz|llama|bases   apt-get install what is missing (root, or sudo)
#   tools/deps.sh venv DIR REQUIREMENTS             Python environment in DIR with these packages
#   tools/deps.sh unpack DIR PACKAGE                a Debian package's files below DIR, not installed: it starts no daemon
#   tools/deps.sh go PROGRAM MODULE@VERSION         a Go program built to PROGRAM; without a way to it, says why, exit 0
set -eu

build="gcc libc6-dev make pkg-config libmicrohttpd-dev libjansson-dev libdnnl-dev libsqlite3-dev libsodium-dev
       libcurl4-openssl-dev libpq-dev zlib1g-dev uthash-dev python3-minimal python3-zxcvbn"
test="$build libcmocka-dev python3 python3-venv curl nodejs nginx-light bubblewrap python3-seccomp postgresql-15"
bench="$build curl wrk"
fuzz="$build clang llvm libclang-rt-14-dev"
run="$build curl"
llama="$test cmake g++"
go="golang-go"
bases="maven"
deploy="$test binutils"
browser="$test chromium fonts-inter fonts-jetbrains-mono"
clients="$test"
command -v npm >/dev/null || { browser="$browser npm"; clients="$clients npm"; deploy="$deploy npm"; }

missing() {
    for package in $1; do
        dpkg -s "$package" 2>/dev/null | grep -q '^Status: .* installed$' || printf '%s ' "$package"
    done
}

list_of() {
    case $1 in
    build) echo "$build" ;;
    test) echo "$test" ;;
    browser) echo "$browser" ;;
    clients) echo "$clients" ;;
    fuzz) echo "$fuzz" ;;
    bench) echo "$bench" ;;
    llama) echo "$llama" ;;
    run) echo "$run" ;;
    go) echo "$go" ;;
    bases) echo "$bases" ;;
    deploy) echo "$deploy" ;;
    *) echo "deps.sh: no such purpose: $1" >&2; exit 2 ;;
    esac
}

check() {
    command -v dpkg >/dev/null || exit 0 # not a Debian: the compiler will tell
    wanted=$(missing "$(list_of "$1")")
    [ -z "$wanted" ] && exit 0
    echo "Missing packages: $wanted" >&2
    echo "Run 'make deps' (root or sudo), or: apt-get install $wanted" >&2
    exit 1
}

install_packages() {
    command -v dpkg >/dev/null || { echo "deps.sh: not a Debian; install by hand: $(list_of "$1")" >&2; exit 0; }
    wanted=$(missing "$(list_of "$1")")
    [ -z "$wanted" ] && exit 0
    as_root=
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || { echo "Missing packages: $wanted; run as root or install sudo" >&2; exit 1; }
        as_root=sudo
    fi
    echo "Installing: $wanted" >&2
    # shellcheck disable=SC2086
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $wanted >/dev/null 2>&1 || {
        $as_root apt-get update -qq
        $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $wanted >/dev/null
    }
}

venv() {
    stamp=$1/requirements.installed
    if [ -f "$stamp" ] && cmp -s "$2" "$stamp"; then exit 0; fi
    echo "Installing the tests' Python packages into $1" >&2
    [ -x "$1/bin/python" ] || /usr/bin/python3 -m venv "$1"
    "$1/bin/python" -m pip install --quiet --disable-pip-version-check -r "$2"
    cp "$2" "$stamp"
}

unpack() {
    [ -d "$1" ] && exit 0
    echo "Unpacking $2 into $1" >&2
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    chmod 755 "$folder" # apt fetches as a user of its own
    (cd "$folder" && apt-get download -qq "$2" >/dev/null)
    dpkg -x "$folder"/*.deb "$folder/files"
    mkdir -p "$(dirname "$1")"
    mv "$folder/files" "$1"
}

# What needs the program is skipped without it, so a machine that reaches no Go modules is no fault.
go_program() {
    [ -x "$1" ] && exit 0
    command -v go >/dev/null || install_packages go || { echo "$1 is not there: Go could not be installed" >&2; exit 0; }
    echo "Building $2" >&2
    mkdir -p "$(dirname "$1")"
    told=$(GOBIN=$(cd "$(dirname "$1")" && pwd) timeout 300 go install "$2" 2>&1) && exit 0
    printf '%s could not be built from %s: %s\n' "$1" "$2" "$(printf %s "$told" | tail -n 1)" >&2
}

case ${1:-} in
check) check "$2" ;;
install) install_packages "$2" ;;
venv) venv "$2" "$3" ;;
unpack) unpack "$2" "$3" ;;
go) go_program "$2" "$3" ;;
*) sed -n '2,10p' "$0" >&2; exit 2 ;;
esac
