#include "tests/evaluation/confined_process.h"

#include <sys/wait.h>
#include <unistd.h>

namespace evoke::test {

ChildEnd run_confined(const runner::ConfinementOptions& options,
                      const std::function<int()>& attempt,
                      const std::function<void()>& before_seal) {
  const pid_t child = ::fork();
  if (child == 0) {
    runner::Confinement confinement(options);
    confinement.enter();
    before_seal();
    confinement.seal();
    ::_exit(attempt());
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ChildEnd end;
  if (WIFEXITED(status)) end.exit_code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) end.signal = WTERMSIG(status);
  return end;
}

}  // namespace evoke::test
