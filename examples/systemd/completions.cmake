# Completions: what shells read, as the program itself prints it. SPDX-License-Identifier: Apache-2.0
#
# Run while it is installed, with PROGRAM.
if(CMAKE_INSTALL_PREFIX STREQUAL "/usr")
  set(zsh share/zsh/vendor-completions/_reeve) # where Debian's looks
else()
  set(zsh share/zsh/site-functions/_reeve)
endif()
set(bash share/bash-completion/completions/reeve)
set(fish share/fish/vendor_completions.d/reeve.fish)

foreach(shell bash zsh fish)
  execute_process(COMMAND ${PROGRAM} completion ${shell} OUTPUT_VARIABLE text COMMAND_ERROR_IS_FATAL ANY)
  message(STATUS "Installing: completion of ${shell}")
  file(WRITE "$ENV{DESTDIR}${CMAKE_INSTALL_PREFIX}/${${shell}}" "${text}")
endforeach()
