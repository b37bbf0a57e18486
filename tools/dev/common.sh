# Shared by the scripts of tools/dev; sourced by bash. Sets `root` (the repository) and goes there.
set -Eeuo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"
export NINJA_STATUS='[%f/%t %es] '

say() { printf '== %s\n' "$*"; }
warn() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; }
trap 'warn "stopped at line $LINENO: $BASH_COMMAND"' ERR  # nothing stops without a word
die() { warn "$*"; exit 1; }
usage_error() { warn "$*; see --help"; exit 2; }

# Prints the comment at the top of the calling script as its help.
help_text() { sed -n '2,/^[^#]/{/^#/!q;s/^# \{0,1\}//;p}' "$0"; }

# Prints seconds as "3 min 07 s".
minutes() { printf '%d min %02d s' $(($1 / 60)) $(($1 % 60)); }

# Names of the presets that may be asked for.
presets() { sed -n 's/.*{"name": "\([a-z]*\)", "displayName".*/\1/p' CMakePresets.json; }
is_preset() { presets | grep -qx -- "$1"; }

# configure PRESET [cmake options]: quiet unless it fails. A build folder left half made is repaired by configuring again.
configure() {
  local preset=$1 log
  shift
  mkdir -p build
  log=build/configure-$preset.log
  if ! flock "build/$preset.lock" cmake --preset "$preset" "$@" >"$log" 2>&1; then
    cat "$log" >&2
    die "cmake could not configure the preset '$preset'"
  fi
}

# Builds targets of a preset with all cores, politely; two builds of one folder wait for each other.
build() {
  local preset=$1
  shift
  flock "build/$preset.lock" nice cmake --build "build/$preset" ${1:+--target "$@"}
}

# Where the Python of the tests lives; made from pinned requirements when missing or changed.
test_venv() {
  local venv=build/venv requirements=tools/dev/requirements-test.txt want
  want=$(sha256sum "$requirements" | cut -d' ' -f1)
  if [ -x "$venv/bin/python3" ] && [ "$(cat "$venv/requirements.sha256" 2>/dev/null)" = "$want" ]; then
    return 0
  fi
  say "Python packages of the tests into $venv"
  rm -rf "$venv"
  mkdir -p build
  /usr/bin/python3 -m venv "$venv" || die "python3 cannot make a virtual environment; run ./dev setup test"
  "$venv/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: -r "$requirements" ||
    die "could not install the Python packages of $requirements (network?)"
  echo "$want" >"$venv/requirements.sha256"
}

# run_ctest PRESET [ctest options]: the tests of a build folder, two at a time, with the output of those that fail.
run_ctest() {
  local preset=$1
  shift
  ctest --test-dir "build/$preset" --output-on-failure --no-tests=error --no-label-summary --parallel 2 "$@"
}
