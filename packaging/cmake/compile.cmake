# How every target of ours is compiled: warnings as errors, and hardening, one reason a line.
add_library(xinfu_compile INTERFACE)
target_include_directories(xinfu_compile INTERFACE "${PROJECT_SOURCE_DIR}" "${PROJECT_BINARY_DIR}")
target_compile_options(xinfu_compile INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror
  -fstack-protector-strong     # a smashed stack ends the process instead of running it
  -fstack-clash-protection     # a huge frame cannot jump the guard page
  -fcf-protection              # indirect branches land only where they may
  -fno-strict-overflow)        # wrapping is never turned into a vanished check
target_link_options(xinfu_compile INTERFACE
  -Wl,-z,relro,-z,now          # the relocation table is read-only once loaded
  -Wl,-z,noexecstack)          # data is never code
# Boost.Asio: coroutines only, header-only, errors as error_code.
target_compile_definitions(xinfu_compile INTERFACE BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_DISABLE_BOOST_REGEX)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
if(XINFU_SANITIZE)
  target_compile_options(xinfu_compile INTERFACE -fsanitize=${XINFU_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(xinfu_compile INTERFACE -fsanitize=${XINFU_SANITIZE})
  target_compile_definitions(xinfu_compile INTERFACE XINFU_SANITIZED=1)
else()
  target_compile_options(xinfu_compile INTERFACE $<$<CONFIG:Release>:-D_FORTIFY_SOURCE=2>)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # clang 14 warns of link flags in steps that only compile, and cannot put its check of function types into coroutines.
  target_compile_options(xinfu_compile INTERFACE -Wno-unused-command-line-argument)
  if(XINFU_SANITIZE)
    target_compile_options(xinfu_compile INTERFACE -fno-sanitize=function)
  endif()
endif()

# Common headers are compiled once. tests/own_includes.py reads every file without them, so that none leans on them.
option(XINFU_PRECOMPILE "compile the common headers once" ON)
if(XINFU_PRECOMPILE)
  file(CONFIGURE OUTPUT "${PROJECT_BINARY_DIR}/precompiled.cpp" CONTENT "")
  add_library(xinfu_precompiled STATIC "${PROJECT_BINARY_DIR}/precompiled.cpp")
  target_link_libraries(xinfu_precompiled PRIVATE xinfu_compile Boost::headers)
  target_precompile_headers(xinfu_precompiled PRIVATE "${PROJECT_SOURCE_DIR}/packaging/cmake/common_headers.hpp")
  # What lets the compiler cache see through them.
  target_compile_options(xinfu_compile INTERFACE
    "$<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>" "$<$<CXX_COMPILER_ID:Clang>:SHELL:-Xclang -fno-pch-timestamp>")
endif()
function(xinfu_precompiled_headers name)
  if(TARGET xinfu_precompiled)
    target_precompile_headers(${name} REUSE_FROM xinfu_precompiled)
  endif()
endfunction()

# xinfu_library(NAME crypto SOURCES ... LINK ... [PUBLIC_LINK ...]): a static library of ours.
function(xinfu_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK;PUBLIC_LINK" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC xinfu_compile Boost::headers ${ARG_PUBLIC_LINK} PRIVATE ${ARG_LINK})
  xinfu_precompiled_headers(${name})
endfunction()

# What is tested is optimised; the tests themselves need not be, and compile in half the time.
set(XINFU_TEST_OPTIONS -O0 -U_FORTIFY_SOURCE)

# xinfu_test(crypto_test SOURCES ... LINK ...): a GoogleTest program registered with ctest.
function(xinfu_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE xinfu_compile Boost::headers GTest::gtest_main ${ARG_LINK})
  target_compile_options(${name} PRIVATE ${XINFU_TEST_OPTIONS})
  if(TARGET xinfu_test_precompiled)
    target_precompile_headers(${name} REUSE_FROM xinfu_test_precompiled)
  endif()
  target_compile_definitions(${name} PRIVATE XINFU_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS unit)
endfunction()

# xinfu_messages_library(NAME FOLDER a.proto ...): generated code is third-party code to our warnings.
function(xinfu_messages_library name)
  set(generated)
  foreach(proto ${ARGN})
    file(RELATIVE_PATH folder "${PROJECT_SOURCE_DIR}" "${CMAKE_CURRENT_SOURCE_DIR}")
    get_filename_component(stem "${proto}" NAME_WE)
    set(out "${PROJECT_BINARY_DIR}/${folder}/${stem}.pb")
    add_custom_command(OUTPUT "${out}.cc" "${out}.h"
      COMMAND protobuf::protoc --cpp_out "${PROJECT_BINARY_DIR}" -I "${PROJECT_SOURCE_DIR}" "${PROJECT_SOURCE_DIR}/${folder}/${proto}"
      DEPENDS "${proto}" VERBATIM)
    list(APPEND generated "${out}.cc" "${out}.h")
  endforeach()
  add_library(${name} STATIC ${generated})
  target_include_directories(${name} SYSTEM PUBLIC "${PROJECT_BINARY_DIR}")
  target_link_libraries(${name} PUBLIC protobuf::libprotobuf-lite Threads::Threads)
  if(XINFU_SANITIZE)
    target_compile_options(${name} PRIVATE -fsanitize=${XINFU_SANITIZE})
  endif()
endfunction()
