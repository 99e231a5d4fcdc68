# `cmake --install build/release --prefix X` and `cpack`: a folder that runs
# where it is put, on any Linux with a glibc and libstdc++ not older than this
# machine's. Libraries that such a system may lack are bundled; MLX is not: it
# is found in lib/mlx (a link to the wheel's folder `mlx` will do).
include(GNUInstallDirs)
set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY ON)

set(packaged_programs evoke evoke_runner)
if(TARGET evoke_model)
  list(APPEND packaged_programs evoke_model)
endif()
set(packaged_files)
foreach(program IN LISTS packaged_programs)
  # DT_RPATH, not RUNPATH: it also serves what the bundled libraries need.
  set_target_properties(${program} PROPERTIES INSTALL_RPATH "$ORIGIN/../lib")
  target_link_options(${program} PRIVATE -Wl,--disable-new-dtags)
  list(APPEND packaged_files $<TARGET_FILE:${program}>)
endforeach()
if(TARGET evoke_model)
  # Whichever MLX lies there: the CUDA wheel's libmlx serves it unchanged.
  set_target_properties(evoke_model PROPERTIES INSTALL_RPATH
                        "$ORIGIN/../lib;$ORIGIN/../lib/mlx/lib")
endif()
install(TARGETS ${packaged_programs} RUNTIME)

# Baselines whose libraries are small enough to travel, or stay outside.
set(packaged_modules)
foreach(module mlx mlx_cuda onednn)
  if(TARGET evoke_baseline_${module})
    set_target_properties(
      evoke_baseline_${module}
      PROPERTIES INSTALL_RPATH "$ORIGIN/..;$ORIGIN/../mlx/lib")
    target_link_options(evoke_baseline_${module}
                        PRIVATE -Wl,--disable-new-dtags)
    install(TARGETS evoke_baseline_${module}
            LIBRARY DESTINATION lib/evoke)
    list(APPEND packaged_modules $<TARGET_FILE:evoke_baseline_${module}>)
  endif()
endforeach()
if(TARGET evoke_hook_cuda)
  set_target_properties(
    evoke_hook_cuda PROPERTIES INSTALL_RPATH "$ORIGIN/..;$ORIGIN/../mlx/lib")
  target_link_options(evoke_hook_cuda PRIVATE -Wl,--disable-new-dtags)
  install(TARGETS evoke_hook_cuda LIBRARY DESTINATION lib/evoke)
  list(APPEND packaged_modules $<TARGET_FILE:evoke_hook_cuda>)
endif()
install(DIRECTORY kernels DESTINATION share/evoke)
install(FILES LICENSE THIRD_PARTY.md README.md DESTINATION share/doc/evoke)

# Everything else that the programs load, but for the C and C++ run time, the
# loader, NVIDIA's driver and MLX with what its wheel brings.
install(CODE "
  set(programs ${packaged_files})
  set(modules ${packaged_modules})
")
install(CODE [[
  file(GET_RUNTIME_DEPENDENCIES
    EXECUTABLES ${programs}
    MODULES ${modules}
    RESOLVED_DEPENDENCIES_VAR found
    UNRESOLVED_DEPENDENCIES_VAR missing
    PRE_EXCLUDE_REGEXES
      "^ld-linux" "^libc\\.so" "^libm\\.so" "^libdl\\.so" "^libpthread\\.so"
      "^librt\\.so" "^libstdc\\+\\+\\.so" "^libgcc_s\\.so" "^libcuda\\.so"
      "^libmlx\\.so" "^libcudnn" "^libcublas" "^libnvrtc" "^libnccl"
      "^libcufft" "^libjaccl")
  foreach(library IN LISTS found)
    file(INSTALL DESTINATION "${CMAKE_INSTALL_PREFIX}/lib" TYPE SHARED_LIBRARY
         FOLLOW_SYMLINK_CHAIN FILES "${library}")
  endforeach()
  if(missing)
    message(WARNING "not bundled, not found: ${missing}")
  endif()
]])

set(CPACK_GENERATOR TGZ)
set(CPACK_PACKAGE_NAME evoke)
set(CPACK_PACKAGE_VENDOR evoke)
set(CPACK_STRIP_FILES ON)
set(CPACK_PACKAGE_FILE_NAME
    "evoke-${PROJECT_VERSION}-${CMAKE_SYSTEM_NAME}-${CMAKE_SYSTEM_PROCESSOR}")
include(CPack)
