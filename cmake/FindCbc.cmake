# Coin::Cbc: branch and cut of COIN-OR (docs/adr/0015), without its command line program. Debian ships no CMake package for it.
find_path(CBC_INCLUDE_DIR coin/CbcModel.hpp)
set(CBC_LIBRARIES "")
foreach(name Cbc Cgl OsiClp Clp Osi CoinUtils)
  find_library(CBC_LIBRARY_${name} ${name})
  mark_as_advanced(CBC_LIBRARY_${name})
  list(APPEND CBC_LIBRARIES "${CBC_LIBRARY_${name}}")
endforeach()
mark_as_advanced(CBC_INCLUDE_DIR)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Cbc REQUIRED_VARS CBC_INCLUDE_DIR CBC_LIBRARY_Cbc CBC_LIBRARY_Cgl CBC_LIBRARY_OsiClp CBC_LIBRARY_Clp
                                  CBC_LIBRARY_Osi CBC_LIBRARY_CoinUtils)
if(Cbc_FOUND AND NOT TARGET Coin::Cbc)
  add_library(Coin::Cbc INTERFACE IMPORTED)
  # The headers include each other without the folder's name.
  target_include_directories(Coin::Cbc INTERFACE "${CBC_INCLUDE_DIR}" "${CBC_INCLUDE_DIR}/coin")
  target_link_libraries(Coin::Cbc INTERFACE ${CBC_LIBRARIES})
endif()
