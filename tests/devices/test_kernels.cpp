#include "test_kernels.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "attention_call.h"
#include "evoke/core/launch_plan.h"

namespace evoke::testing {

std::string with_plan(const std::string& code, const std::string& parameters) {
  return "/*evoke\nproblem = \"attention\"\nsummary = \"test\"\n" +
         (parameters.empty() ? "" : "[parameters]\n" + parameters + "\n") +
         R"([[variant]]
name = "any"
when = "1"
[[variant.launch]]
kernel = "attend"
reads = ["query", "key", "value"]
writes = ["output"]
threadgroups = ["Lq", "Hq", "B"]
threads = [1, 1, 1]
evoke*/
)" + code;
}

KernelSource parse_kernel(const std::string& text, const std::string& path) {
  auto kernel = KernelSource::parse(text, Dialect::cpu, path);
  if (!kernel) throw std::runtime_error(kernel.error().message);
  return std::move(*kernel);
}

CompileReply compile_small(Compiler& compiler, const KernelSource& kernel) {
  const CallShape shape{1, 2, 1, 3, 5, 32, false, false};
  const auto signature = attention_signature();
  const auto plan = resolve(kernel, signature, to_shape(shape), DeviceLimits{});
  if (!plan) throw std::runtime_error(plan.error().message);
  return compiler.compile(kernel, signature, unit_of(*plan));
}

cpu::CpuCompiler& shared_compiler() {
  static const std::unique_ptr<cpu::CpuCompiler> compiler = [] {
    auto opened = cpu::CpuCompiler::open({});
    if (!opened) throw std::runtime_error(opened.error().message);
    return std::move(*opened);
  }();
  return *compiler;
}

}  // namespace evoke::testing
