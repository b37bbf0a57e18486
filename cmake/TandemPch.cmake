# Precompiled headers. GCC wants the same code generation flags in the header and in its users, so there is one per set of flags:
#   tandem_pch (parts, applications), tandem_pch_compute (-O3), tandem_pch_test (-O1, adds GoogleTest). All others reuse one of these.
# They save 10 to 25 % of a translation unit (measured with GCC 12); -O1 saves a fifth of a test's.
# tools/check_headers compiles without them, so a header cannot lean on what stands in here.
set(TANDEM_PCH_HEADERS
  <algorithm> <array> <atomic> <bit> <chrono> <cmath> <compare> <condition_variable> <cstddef> <cstdint> <cstdlib> <cstring>
  <deque> <functional> <initializer_list> <limits> <map> <memory> <mutex> <numeric> <optional> <set> <span> <sstream> <stop_token>
  <string> <string_view> <tuple> <type_traits> <unordered_map> <unordered_set> <utility> <variant> <vector>
  <fmt/format.h> <nlohmann/json.hpp> <tl/expected.hpp>)
set(TANDEM_PCH_EXTERNAL fmt::fmt nlohmann_json::nlohmann_json tl::expected spdlog::spdlog_header_only)
set(TANDEM_COMPUTE_OPTIONS $<$<CONFIG:Release>:-O3> -fno-math-errno)
set(TANDEM_TEST_OPTIONS $<$<CONFIG:Release>:-O1>)  # the code under test keeps its own flags

# Declares the precompiled header `name` with extra headers and compile options.
function(tandem_add_pch name)
  cmake_parse_arguments(arg "" "" "HEADERS;OPTIONS;LINK" ${ARGN})
  file(WRITE "${CMAKE_BINARY_DIR}/pch/${name}.cc.in" "")
  configure_file("${CMAKE_BINARY_DIR}/pch/${name}.cc.in" "${CMAKE_BINARY_DIR}/pch/${name}.cc" COPYONLY)
  add_library(${name} OBJECT EXCLUDE_FROM_ALL "${CMAKE_BINARY_DIR}/pch/${name}.cc")
  foreach(external IN LISTS TANDEM_PCH_EXTERNAL arg_LINK)
    tandem_require_external(${external})
    target_link_libraries(${name} PRIVATE ${external})
  endforeach()
  target_compile_options(${name} PRIVATE ${arg_OPTIONS})
  target_precompile_headers(${name} PRIVATE ${TANDEM_PCH_HEADERS} ${arg_HEADERS})
endfunction()

# Lets `target` use the precompiled header `name`.
function(tandem_use_pch target name)
  if(TANDEM_PCH)
    target_precompile_headers(${target} REUSE_FROM ${name})
  endif()
endfunction()

if(TANDEM_PCH)
  tandem_add_pch(tandem_pch)
  tandem_add_pch(tandem_pch_compute OPTIONS ${TANDEM_COMPUTE_OPTIONS})
  if(BUILD_TESTING)
    tandem_add_pch(tandem_pch_test OPTIONS ${TANDEM_TEST_OPTIONS} HEADERS <gmock/gmock.h> <gtest/gtest.h> LINK GTest::gmock)
  endif()
endif()
