# moldau_layer(NAME SOURCES a.cc ... DEPENDS other_layers ... [LIBS external ...] [TESTS a_test.cc ...] [TEST_LIBS ...])
# One folder = one library `moldau_NAME`, and one test program `NAME_test` of the *_test.cc files beside the code.
# Which layers may depend on which stands in tools/layers.txt; tools/check_layers.py enforces it for includes.
# Sanitized builds are made once for a run of tests and half of their time is parsing the standard library: it is parsed once for
# each target there. The release build goes without, so that every file still includes what it uses.
function(moldau_precompile target)
  if(MOLDAU_SANITIZE)
    target_precompile_headers(${target} PRIVATE <algorithm> <chrono> <deque> <expected> <functional> <map> <memory> <optional> <set>
      <string> <string_view> <unordered_map> <variant> <vector> ${ARGN})
  endif()
endfunction()

function(moldau_layer name)
  cmake_parse_arguments(L "" "" "SOURCES;DEPENDS;LIBS;TESTS;TEST_LIBS" ${ARGN})
  list(TRANSFORM L_DEPENDS PREPEND moldau_)
  if(L_SOURCES)
    add_library(moldau_${name} STATIC ${L_SOURCES})
    target_include_directories(moldau_${name} PUBLIC ${CMAKE_SOURCE_DIR}/src)
    target_link_libraries(moldau_${name} PUBLIC ${L_DEPENDS} ${L_LIBS})
    moldau_precompile(moldau_${name})
  else()
    add_library(moldau_${name} INTERFACE)
    target_include_directories(moldau_${name} INTERFACE ${CMAKE_SOURCE_DIR}/src)
    target_link_libraries(moldau_${name} INTERFACE ${L_DEPENDS} ${L_LIBS})
  endif()
  if(L_TESTS)
    moldau_test(${name}_test SOURCES ${L_TESTS} LIBS moldau_${name} ${L_TEST_LIBS})
  endif()
endfunction()

# moldau_test(NAME SOURCES ... LIBS ...): a GoogleTest program; tests see the source tree in MOLDAU_SOURCE_DIR.
function(moldau_test name)
  cmake_parse_arguments(T "" "" "SOURCES;LIBS" ${ARGN})
  add_executable(${name} ${T_SOURCES})
  target_link_libraries(${name} PRIVATE ${T_LIBS} GTest::gtest GTest::gmock GTest::gtest_main)
  target_compile_definitions(${name} PRIVATE MOLDAU_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  moldau_precompile(${name} <gtest/gtest.h>)
  add_test(NAME ${name} COMMAND ${name} --gtest_brief=1)
endfunction()
