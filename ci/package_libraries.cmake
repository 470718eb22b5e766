# Run by cpack when the files of a package lie in their folder. The .tar.gz gets the shared libraries that its program
# needs, into lib/spabench where the program looks first, with their copyright notices; the C library is the system's.
# A .deb names packages instead.
cmake_minimum_required(VERSION 3.25)
if(NOT CPACK_GENERATOR STREQUAL "TGZ")
  return()
endif()
file(GLOB_RECURSE programs ${CPACK_TEMPORARY_DIRECTORY}/*/bin/spabench ${CPACK_TEMPORARY_DIRECTORY}/bin/spabench)
list(LENGTH programs count)
if(NOT count EQUAL 1)
  message(FATAL_ERROR "cannot find the program in '${CPACK_TEMPORARY_DIRECTORY}'")
endif()
get_filename_component(top ${programs}/../.. REALPATH)

file(GET_RUNTIME_DEPENDENCIES EXECUTABLES ${programs} RESOLVED_DEPENDENCIES_VAR libraries UNRESOLVED_DEPENDENCIES_VAR missing
  CONFLICTING_DEPENDENCIES_PREFIX conflict
  PRE_EXCLUDE_REGEXES "^ld-linux" "^lib(c|m|dl|rt|pthread)\\.so")
if(missing)
  message(FATAL_ERROR "cannot find the libraries '${missing}'")
endif()
# One name in several folders: the loader takes the first, which is what the program's own list of folders says.
foreach(name ${conflict_FILENAMES})
  list(GET conflict_${name} 0 first)
  list(APPEND libraries ${first})
endforeach()
file(MAKE_DIRECTORY ${top}/lib/spabench ${top}/share/doc/spabench)
find_program(dpkg_query dpkg-query)
foreach(library ${libraries})
  get_filename_component(name ${library} NAME)
  file(REAL_PATH ${library} real)
  file(COPY_FILE ${real} ${top}/lib/spabench/${name})
  if(dpkg_query)
    execute_process(COMMAND ${dpkg_query} -S ${real} OUTPUT_VARIABLE owner ERROR_QUIET)
    if(NOT owner) # /lib and /usr/lib are one folder, and the list of files may have either
      string(REGEX REPLACE "^/usr" "" other ${real})
      execute_process(COMMAND ${dpkg_query} -S ${other} OUTPUT_VARIABLE owner ERROR_QUIET)
    endif()
    string(REGEX MATCH "^[^:,]+" package "${owner}")
    if(package AND EXISTS /usr/share/doc/${package}/copyright)
      file(REAL_PATH /usr/share/doc/${package}/copyright notice)
      file(COPY_FILE ${notice} ${top}/share/doc/spabench/${name}.copyright)
    endif()
  endif()
endforeach()
