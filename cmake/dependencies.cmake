# Every third-party part, its minimum version, and where it comes from:
# Debian packages, and MLX from the wheels in .venv.
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(nlohmann_json 3.10 REQUIRED)
find_package(CLI11 2.1 REQUIRED)
find_package(fmt 8 REQUIRED)
find_package(spdlog 1.9 REQUIRED)
find_package(SQLite3 3.37 REQUIRED)
find_package(CURL 7.80 REQUIRED)
find_package(tl-expected REQUIRED)
pkg_check_modules(tomlplusplus REQUIRED IMPORTED_TARGET tomlplusplus>=3.0)
pkg_check_modules(xxhash REQUIRED IMPORTED_TARGET libxxhash>=0.8)
pkg_check_modules(pcre2 REQUIRED IMPORTED_TARGET libpcre2-8>=10.40)
pkg_check_modules(utf8proc REQUIRED IMPORTED_TARGET libutf8proc>=2.6)
if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
  pkg_check_modules(seccomp REQUIRED IMPORTED_TARGET libseccomp>=2.5)
  pkg_check_modules(libdw REQUIRED IMPORTED_TARGET libdw>=0.187)
  pkg_check_modules(jemalloc REQUIRED IMPORTED_TARGET jemalloc>=5.2)
endif()

# MLX: `python -m mlx --cmake-dir` of the project's own .venv, or -DMLX_ROOT.
set(EVOKE_PYTHON ${PROJECT_SOURCE_DIR}/.venv/bin/python CACHE FILEPATH
    "Python whose environment holds the mlx wheels")
if(NOT MLX_ROOT AND EXISTS ${EVOKE_PYTHON})
  execute_process(COMMAND ${EVOKE_PYTHON} -m mlx --cmake-dir
                  OUTPUT_VARIABLE MLX_ROOT OUTPUT_STRIP_TRAILING_WHITESPACE
                  ERROR_QUIET)
endif()
find_package(MLX CONFIG QUIET PATHS ${MLX_ROOT} NO_DEFAULT_PATH)

# OpenVINO: the wheel in the same environment, or -DOpenVINO_DIR.
if(NOT OpenVINO_DIR AND EXISTS ${EVOKE_PYTHON})
  execute_process(
    COMMAND ${EVOKE_PYTHON} -c
            "import sysconfig; print(sysconfig.get_paths()['platlib'])"
    OUTPUT_VARIABLE site_packages OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()
find_package(OpenVINO 2026 CONFIG QUIET PATHS ${site_packages}/openvino/cmake
             NO_DEFAULT_PATH)
# oneDNN 2.x: Debian's. 3.x has another interface.
find_package(dnnl 2.6 CONFIG QUIET)
find_package(OpenMP QUIET)

if(BUILD_TESTING)
  find_package(GTest 1.11 REQUIRED)
  include(GoogleTest)
endif()
find_package(benchmark 1.6 QUIET)

message(STATUS "nlohmann_json ${nlohmann_json_VERSION}, CLI11 ${CLI11_VERSION}, "
               "fmt ${fmt_VERSION}, spdlog ${spdlog_VERSION}, "
               "SQLite ${SQLite3_VERSION}, libcurl ${CURL_VERSION_STRING}, "
               "toml++ ${tomlplusplus_VERSION}, "
               "xxHash ${xxhash_VERSION}, PCRE2 ${pcre2_VERSION}, "
               "utf8proc ${utf8proc_VERSION}")
if(MLX_FOUND)
  message(STATUS "MLX ${MLX_VERSION} from ${MLX_ROOT}")
else()
  message(STATUS "MLX: absent; the mlx baseline is not built "
                 "(./evoke makes a .venv that has it)")
endif()
foreach(optional dnnl OpenVINO OpenMP_CXX)
  if(${optional}_FOUND)
    message(STATUS "${optional} ${${optional}_VERSION}")
  else()
    message(STATUS "${optional}: absent; the baseline that needs it is not "
                   "built")
  endif()
endforeach()
