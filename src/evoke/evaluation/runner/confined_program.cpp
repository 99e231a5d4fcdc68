#include "evoke/evaluation/runner/confined_program.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "evoke/evaluation/runner/confinement.h"

namespace evoke::runner {

std::string become_program(const RunnerOptions& options,
                           const std::vector<std::string>& arguments) {
  if (arguments.empty()) return "no program was named";
  Confinement walls({options.role, options.private_folder, options.readable,
                     options.cpu_seconds});
  walls.enter();
  walls.seal();
  std::vector<std::string> texts = arguments;
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  ::execv(pointers.front(), pointers.data());
  return arguments.front() + ": " + std::strerror(errno);
}

}  // namespace evoke::runner
