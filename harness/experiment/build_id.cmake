# cmake -DROOT=.. -DGIT=.. -DOUT=.. -P build_id.cmake: which sources are being built, as a C macro in OUT. Runs at every
# build and leaves OUT as it is when nothing changed. The commit alone does not tell: a tree with edits has the same one
# before and after the next edit, and a source archive has none.
set(commit "")
if(GIT)
  # An archive unpacked inside of somebody else's repository is not of that repository.
  execute_process(COMMAND ${GIT} -C ${ROOT} rev-parse --show-prefix
    OUTPUT_VARIABLE prefix RESULT_VARIABLE failed OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(NOT failed AND prefix STREQUAL "")
    execute_process(COMMAND ${GIT} -C ${ROOT} describe --always --dirty --abbrev=12
      OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  endif()
endif()
if(NOT commit)
  set(commit "unknown")
endif()
string(SUBSTRING "${commit}" 0 32 commit) # a worker's hello has room for 63 characters with the rest

set(digests "")
foreach(folder . harness kernels workloads reports)
  set(glob GLOB_RECURSE)
  if(folder STREQUAL ".") # CMakeLists.txt alone: build folders are there, too
    set(glob GLOB)
  endif()
  file(${glob} files RELATIVE ${ROOT} ${ROOT}/${folder}/*.c ${ROOT}/${folder}/*.h ${ROOT}/${folder}/*.cu
    ${ROOT}/${folder}/*.cuh ${ROOT}/${folder}/*.in ${ROOT}/${folder}/*.cmake ${ROOT}/${folder}/CMakeLists.txt)
  list(SORT files)
  foreach(file ${files})
    if(file MATCHES "(^|/)\\.")
      continue() # what an editor leaves
    endif()
    file(SHA256 ${ROOT}/${file} digest)
    string(APPEND digests "${file} ${digest}\n")
  endforeach()
endforeach()
string(SHA256 digest "${digests}")
string(SUBSTRING "${digest}" 0 12 digest)

set(text "#define SB_BUILD_SOURCES \"${commit}.${digest}\"\n")
set(before "")
if(EXISTS ${OUT})
  file(READ ${OUT} before)
endif()
if(NOT before STREQUAL text)
  file(WRITE ${OUT} "${text}")
endif()
