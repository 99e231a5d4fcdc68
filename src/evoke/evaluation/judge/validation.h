// A kernel's quick cases once more, under tools of the device's maker.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "evoke/core/problem.h"
#include "evoke/evaluation/judge/kernel_build.h"
#include "evoke/evaluation/judge/validation_tool.h"
#include "evoke/evaluation/judge/workbench.h"

namespace evoke::judge {

struct Complaint {
  bool out_of_bounds = false;  // else: wrong in another way
  std::string message;         // fit for a prompt
};

// The build must hold what the cases need. Empty: nothing to complain of.
// Faults: the machine's, or the tool's.
RunnerResult<std::optional<Complaint>> validate(
    Workbench& bench, const KernelBuild& build,
    const std::vector<GateCase>& cases, const ValidationTool& tool);

// A tool that cannot run here, or that complains of a kernel known to be
// right, says nothing about others: neither on that kernel's screening cases
// nor on those on which it complains of a candidate, which reach other parts
// of both. Thread-safe.
class Validators {
 public:
  explicit Validators(std::vector<ValidationTool> tools)
      : tools_(std::move(tools)) {}
  bool empty() const { return tools_.empty(); }

  struct Verdict {
    std::optional<Complaint> complaint;
    // For the record, by tool: "clean", "not used: ...".
    std::map<std::string, std::string> said;
  };
  // Ends at the first complaint. `known_right`: a kernel's text.
  RunnerResult<Verdict> judge(Workbench& bench, const KernelBuild& build,
                              const Workload& workload,
                              const std::string& known_right);

 private:
  std::string why_not(Workbench& bench, const Workload& workload,
                      const std::string& known_right,
                      const ValidationTool& tool);
  // Empty: it is content, or nobody can tell.
  static std::string complaint_of_known(Workbench& bench,
                                        const std::string& known_right,
                                        std::vector<GateCase> cases,
                                        const ValidationTool& tool);
  const std::vector<ValidationTool> tools_;
  std::mutex mutex_;
  std::map<std::string, std::string> reasons_;  // by tool; empty: usable
};

}  // namespace evoke::judge
