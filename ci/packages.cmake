# Packages, by `cpack` in the build folder: a .deb, and a .tar.gz that runs from wherever it is unpacked, on any system with
# this one's C library or a later one. Included by the top level.
install(FILES README.md LICENSE CHANGELOG.md CONTRIBUTING.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs DESTINATION ${CMAKE_INSTALL_DOCDIR} PATTERN ".*" EXCLUDE)

set(CPACK_PACKAGE_NAME spabench)
set(CPACK_PACKAGE_VENDOR "the spabench project")
set(CPACK_PACKAGE_CONTACT "the spabench project")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "measures what optimisations of a GPU pipeline really bring")
set(CPACK_PACKAGE_DESCRIPTION "spabench runs the SpatialTrackerV2 pipeline natively with TF32, memory-efficient attention
and expandable allocator segments on and off, proves that each switch was in effect, and keeps every sample in SQLite.")
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_STRIP_FILES ON)
set(CPACK_SYSTEM_NAME Linux-${CMAKE_SYSTEM_PROCESSOR})
set(CPACK_GENERATOR TGZ)

# What the .tar.gz brings along: see the script.
set(CPACK_PRE_BUILD_SCRIPTS ${PROJECT_SOURCE_DIR}/ci/package_libraries.cmake)

find_program(SB_DPKG_SHLIBDEPS dpkg-shlibdeps)
if(SB_DPKG_SHLIBDEPS)
  list(APPEND CPACK_GENERATOR DEB)
endif()
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
if(SB_BLAS_LIBRARY MATCHES "openblas-openmp")
  set(CPACK_DEBIAN_PACKAGE_DEPENDS libopenblas0-openmp) # its name alone would let another build of it in
endif()
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "ffmpeg, gnuplot-nox | gnuplot")
if(SB_WITH_CUDA)
  # The toolkit's libraries are not Debian's: they are looked for when a GPU is used, and doctor says what is missing.
  set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${CUDAToolkit_LIBRARY_DIR})
  set(CPACK_DEBIAN_PACKAGE_SUGGESTS "libcublas-${CUDAToolkit_VERSION_MAJOR}-${CUDAToolkit_VERSION_MINOR}")
endif()
include(CPack)
