# Language level, warnings and sanitizers, as INTERFACE targets that our own
# code links privately and third-party code never sees.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM AND NOT CMAKE_CXX_CLANG_TIDY
   AND NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
endif()

# Warnings are errors in a git checkout and in CI, not for a tarball's user.
if(EXISTS ${PROJECT_SOURCE_DIR}/.git OR DEFINED ENV{CI})
  option(EVOKE_WERROR "Treat warnings as errors" ON)
else()
  option(EVOKE_WERROR "Treat warnings as errors" OFF)
endif()
set(EVOKE_SANITIZER "" CACHE STRING "address, thread or empty")

# GCC 12 reports optional<double> members as maybe uninitialised, and
# "text" + std::string as overlapping copies, where they are not; the
# sanitizers look for the real ones.
add_library(evoke_settings INTERFACE)
target_include_directories(evoke_settings INTERFACE ${PROJECT_SOURCE_DIR}/src)
target_compile_options(
  evoke_settings INTERFACE -Wall -Wextra -Wpedantic -Wshadow
                           -Wnon-virtual-dtor
                           "$<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized;-Wno-restrict>"
                           $<$<BOOL:${EVOKE_WERROR}>:-Werror>)
# Compiling is most of what sanitizers cost. Line numbers are all that a report
# needs (-g1), and what is left out of "undefined" takes as long as all the rest
# together: null and outgrown objects AddressSanitizer meets anyhow.
if(EVOKE_SANITIZER STREQUAL "address")
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=undefined
                      -fno-sanitize=null,alignment,object-size,vptr
                      -fno-omit-frame-pointer -Og -g1)
  add_link_options(-fsanitize=address,undefined)
  add_compile_definitions(EVOKE_ASAN=1)
elseif(EVOKE_SANITIZER STREQUAL "thread")
  add_compile_options(-fsanitize=thread -fno-omit-frame-pointer -Og -g1)
  add_link_options(-fsanitize=thread)
  add_compile_definitions(EVOKE_TSAN=1)
elseif(NOT EVOKE_SANITIZER STREQUAL "")
  message(FATAL_ERROR "EVOKE_SANITIZER is '${EVOKE_SANITIZER}'; "
                      "use address, thread or nothing")
endif()

# evoke_room(NAME SOURCES ... HEADERS ... LINKS ...): one library per folder.
# Headers go into a header set, so that `all_verify_interface_header_sets`
# proves that each one compiles alone.
function(evoke_room name)
  cmake_parse_arguments(ROOM "" "" "SOURCES;HEADERS;LINKS;PRIVATE_LINKS" ${ARGN})
  if(ROOM_SOURCES)
    add_library(${name} STATIC ${ROOM_SOURCES})
    set(scope PUBLIC)
    target_link_libraries(${name} PUBLIC evoke_settings
                          PRIVATE ${ROOM_PRIVATE_LINKS})
  else()
    add_library(${name} INTERFACE)
    set(scope INTERFACE)
    target_link_libraries(${name} INTERFACE evoke_settings)
  endif()
  target_sources(${name} ${scope} FILE_SET HEADERS
                 BASE_DIRS ${PROJECT_SOURCE_DIR}/src FILES ${ROOM_HEADERS})
  set_target_properties(${name} PROPERTIES VERIFY_INTERFACE_HEADER_SETS ON)
  target_link_libraries(${name} ${scope} ${ROOM_LINKS})
endfunction()

# evoke_embed(OUTPUT TEMPLATE ROOT FILES...): OUTPUT is made from TEMPLATE, with
# the texts of FILES below ROOT in it; embed_text.cmake says how.
function(evoke_embed output template root)
  list(TRANSFORM ARGN PREPEND "${root}/" OUTPUT_VARIABLE inputs)
  list(JOIN ARGN "," files)
  set(script ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/embed_text.cmake)
  add_custom_command(
    OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -DOUTPUT=${output} -DTEMPLATE=${template}
            -DROOT=${root} -DFILES=${files} -P ${script}
    DEPENDS ${inputs} ${template} ${script}
    VERBATIM)
endfunction()

option(EVOKE_TSAN_ALL "ThreadSanitizer: also tests that start no thread" OFF)

# evoke_test(NAME SOURCES ... LINKS ... [FIXTURE ...] [THREADS FILTER]): one
# GoogleTest binary. FIXTURE names a test fixture of CTest that must run before
# it. THREADS says which of its tests start threads ("*": all may):
# ThreadSanitizer finds nothing in others, so that they are left out there.
# UNSANITIZED says which tests spend their time outside of our own code, in
# compilers or kernels. Under sanitizers, which take long to start, each binary
# is one test.
function(evoke_test name)
  cmake_parse_arguments(TEST "" "FIXTURE;THREADS;UNSANITIZED" "SOURCES;LINKS;LABELS" ${ARGN})
  add_executable(${name} ${TEST_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  # Compiling a test takes longer than running it.
  target_compile_options(${name} PRIVATE $<$<CONFIG:Release>:-O1>)
  target_link_libraries(${name} PRIVATE evoke_settings ${TEST_LINKS}
                        GTest::gtest_main GTest::gmock)
  set(fixture)
  if(TEST_FIXTURE)
    set(fixture FIXTURES_REQUIRED ${TEST_FIXTURE})
  endif()
  set(properties ${fixture})
  if(TEST_LABELS)
    list(APPEND properties LABELS "${TEST_LABELS}")
  endif()
  if(NOT EVOKE_SANITIZER)
    gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60
                         PROPERTIES TIMEOUT 300 ${properties})
    return()
  endif()
  set(filter "*")
  if(EVOKE_SANITIZER STREQUAL "thread" AND NOT EVOKE_TSAN_ALL)
    if(NOT TEST_THREADS)
      set_target_properties(${name} PROPERTIES EXCLUDE_FROM_ALL TRUE)
      return()
    endif()
    set(filter ${TEST_THREADS})
  endif()
  add_test(NAME ${name}
           COMMAND ${name} --gtest_filter=${filter}-${TEST_UNSANITIZED})
  set_tests_properties(${name} PROPERTIES TIMEOUT 1200 ${properties})
endfunction()
