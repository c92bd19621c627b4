# Compiler, warnings, sanitizers. Chosen by the presets in CMakePresets.json.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  message(FATAL_ERROR
    "g++ ${CMAKE_CXX_COMPILER_VERSION} miscompiles ordinary coroutine code: in `co_await f(Request{...})` the temporary is "
    "destroyed twice. Build with Clang 19: cmake --preset release (packages: tools/install-deps).")
endif()

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE OFF)

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
  if(MOLDAU_SANITIZE)  # what it asks for where headers are precompiled (cmake/layer.cmake)
    set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${CCACHE})
  endif()
endif()

add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wold-style-cast -Wimplicit-fallthrough
  -Wunused -Woverloaded-virtual -Wthread-safety -Werror -fno-omit-frame-pointer)
add_link_options(-fuse-ld=lld-19)

set(MOLDAU_SANITIZE "" CACHE STRING "sanitizers, as in -fsanitize=")
if(MOLDAU_SANITIZE)
  add_compile_options(-fsanitize=${MOLDAU_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${MOLDAU_SANITIZE})
  add_compile_options("SHELL:-Xclang -fno-pch-timestamp")
endif()

set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
