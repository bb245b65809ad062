#!/usr/bin/env bash
# consumer.sh BUILD_DIR COMPILER: installs a build into an empty folder and builds a small program against it, by
# pkg-config and by find_package; then looks for the program, its man page and its completion.
set -euo pipefail
build=$1
compiler=$2
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cmake --install "$build" --prefix "$work/prefix" >"$work/install.log" || { cat "$work/install.log"; exit 1; }
pc=$(find "$work/prefix" -name scrip.pc)
PKG_CONFIG_PATH=$(dirname "$pc")
export PKG_CONFIG_PATH

# shellcheck disable=SC2046 # flags are meant to be split
"$compiler" -std=c17 "$here/consumer.c" -o "$work/by_pkg_config" $(pkg-config --cflags --libs scrip)
"$work/by_pkg_config"

cat >"$work/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.25)
project(consumer LANGUAGES C)
find_package(scrip 0.1 REQUIRED)
add_executable(by_cmake consumer.c)
target_link_libraries(by_cmake PRIVATE scrip::scrip)
CMAKE
cp "$here/consumer.c" "$work/"
cmake -S "$work" -B "$work/build" -DCMAKE_C_COMPILER="$compiler" -DCMAKE_PREFIX_PATH="$work/prefix" \
    >"$work/configure.log" 2>&1 || { cat "$work/configure.log"; exit 1; }
cmake --build "$work/build" >"$work/build.log" 2>&1 || { cat "$work/build.log"; exit 1; }
"$work/build/by_cmake"

"$work/prefix/bin/scrip" --version
"$work/prefix/bin/scrip" --help >/dev/null
[ -n "$(find "$work/prefix" -name scrip.1)" ] || { echo "no man page was installed"; exit 1; }
[ -n "$(find "$work/prefix" -path '*bash-completion*' -name scrip)" ] || { echo "no completion was installed"; exit 1; }
[ -n "$(find "$work/prefix" -name an12113.profile)" ] || { echo "no profiles were installed"; exit 1; }
echo "installed, built twice, ran twice"
