# Manual pages and completion for shells, written by the program that was just built, and where they are installed.
#
# Run as a script (cmake -DSPABENCH=.. -DOUT=.. -P manual.cmake) it writes them; included, it makes the build do so.
if(CMAKE_SCRIPT_MODE_FILE)
  # write_out(FILE ARGS..): what `spabench ARGS..` prints.
  function(write_out file)
    set(ENV{SPABENCH_CUDA_LIB} none)
    execute_process(COMMAND ${SPABENCH} ${ARGN} OUTPUT_VARIABLE text COMMAND_ERROR_IS_FATAL ANY)
    file(WRITE ${file} "${text}")
  endfunction()

  execute_process(COMMAND ${SPABENCH} help OUTPUT_VARIABLE overview COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX MATCHALL "\n  [a-z]+ " commands "${overview}")
  file(REMOVE_RECURSE ${OUT})
  write_out(${OUT}/man/spabench.1 help --man)
  foreach(command ${commands})
    string(STRIP "${command}" command)
    write_out(${OUT}/man/spabench-${command}.1 help --man ${command})
  endforeach()
  write_out(${OUT}/completion/spabench help --completion bash)
  write_out(${OUT}/completion/_spabench help --completion zsh)
  write_out(${OUT}/completion/spabench.fish help --completion fish)
  file(TOUCH ${OUT}/made)
  return()
endif()

if(CMAKE_CROSSCOMPILING)
  message(STATUS "Manual pages and completion are not made: the program does not run on this machine")
  return()
endif()
set(sb_manual ${CMAKE_CURRENT_BINARY_DIR}/manual)
add_custom_command(OUTPUT ${sb_manual}/made
  COMMAND ${CMAKE_COMMAND} -DSPABENCH=$<TARGET_FILE:spabench> -DOUT=${sb_manual} -P ${CMAKE_CURRENT_LIST_FILE}
  DEPENDS spabench ${CMAKE_CURRENT_LIST_FILE}
  COMMENT "Manual pages and completion" VERBATIM)
add_custom_target(sb_manual ALL DEPENDS ${sb_manual}/made)
install(DIRECTORY ${sb_manual}/man/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES ${sb_manual}/completion/spabench DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
install(FILES ${sb_manual}/completion/_spabench DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
install(FILES ${sb_manual}/completion/spabench.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
