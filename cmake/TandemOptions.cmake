# Language, warnings, optimisation, compiler cache. Presets (CMakePresets.json) choose among the options below.
option(TANDEM_WERROR "Treat warnings as errors (on in ./dev check)" OFF)
option(TANDEM_BENCH "Build the benchmarks (x.bench.cc); needs libbenchmark-dev" OFF)
option(TANDEM_FUZZ "Build the fuzzers (x.fuzz.cc) with libFuzzer; needs clang. Without it they replay their corpus" OFF)
option(TANDEM_PCH "Use precompiled headers" ON)
option(TANDEM_CCACHE "Use ccache when it is installed" ON)
option(TANDEM_COVERAGE "Instrument for coverage" OFF)
set(TANDEM_SANITIZE "" CACHE STRING "Value of -fsanitize=, for example address,undefined")

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
endif()

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_OPTIMIZE_DEPENDENCIES ON)  # a static library need not wait for the archives below it
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_COLOR_DIAGNOSTICS ON)

# -O2 everywhere and -O3 in compute/* (TandemLayers.cmake): the hot loops live there, and -O3 elsewhere costs build time only.
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")
set(CMAKE_CXX_FLAGS_DEBUG "-O0 -g -D_GLIBCXX_ASSERTIONS")

# No warning for members that a designated initialiser leaves out: they keep the defaults that their struct states.
add_compile_options(-Wall -Wextra -Wno-missing-field-initializers -Wconversion -Wshadow)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  add_compile_options(-Wno-deprecated-declarations)  # std::stable_sort of GCC 12's library uses what it declares deprecated
endif()
if(TANDEM_WERROR)
  add_compile_options(-Werror)
endif()

# Portable baseline: one binary for every x86-64 of the last fifteen years.
# No contraction to fused multiply-add: same seed + same version = same bytes on every machine.
add_compile_options(-march=x86-64-v2 -ffp-contract=off)

if(TANDEM_SANITIZE)
  add_compile_options(-fsanitize=${TANDEM_SANITIZE} -fno-omit-frame-pointer -g1)
  add_link_options(-fsanitize=${TANDEM_SANITIZE})
  if(TANDEM_SANITIZE MATCHES "undefined")
    add_compile_options(-fno-sanitize-recover=undefined)
  endif()
elseif(CMAKE_BUILD_TYPE STREQUAL "Release")
  add_compile_options(-fstack-protector-strong -D_FORTIFY_SOURCE=2)
  # Less of the file is read at the start, and so kept in memory (docs/adr/0019).
  include(CheckCXXSourceRuns)
  add_link_options(-Wl,--gc-sections)
  set(CMAKE_REQUIRED_LINK_OPTIONS -Wl,-z,pack-relative-relocs)
  check_cxx_source_runs("int main() { return 0; }" TANDEM_PACKS_RELOCATIONS)  # the linker knows it, and the loader
  unset(CMAKE_REQUIRED_LINK_OPTIONS)
  if(TANDEM_PACKS_RELOCATIONS)
    add_link_options(-Wl,-z,pack-relative-relocs)
  endif()
endif()
if(TANDEM_COVERAGE)
  add_compile_options(--coverage -fprofile-update=atomic)
  add_link_options(--coverage)
endif()

# ccache: paths relative to the repository so that clones share results; PCH needs the two sloppiness flags and -fpch-preprocess.
find_program(TANDEM_CCACHE_PROGRAM ccache)
if(TANDEM_CCACHE AND TANDEM_CCACHE_PROGRAM)
  set(launcher ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${TANDEM_CCACHE_PROGRAM})
  set(CMAKE_C_COMPILER_LAUNCHER ${launcher})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${launcher})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fpch-preprocess>)
  endif()
endif()
