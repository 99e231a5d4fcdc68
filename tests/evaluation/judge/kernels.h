// Kernel files for tests of the judge: one honest kernel, and ways to spoil
// it.
#pragma once

#include <string>

namespace evoke::test {

struct KernelOptions {
  std::string summary = "a test's kernel";
  std::string plan;  // more top-level plan text: parameters, scratch
  std::string when = "1";
  std::string writes = R"("output")";
  std::string header;             // code before the kernel
  std::string before;             // in the body, before anything is computed
  std::string after;              // in the body, once the row is written
  std::string keys = "visible";   // how many keys are attended to
  std::string result = "acc[d]";  // what is written to the output
};

// One row of the output per threadgroup, in two plain passes. In `before` and
// `after` there are q, k, v, out (its row), h, i, b and visible.
std::string make_kernel(const KernelOptions& options = {});

// The same work so many times over.
std::string make_slow_kernel(int times);

}  // namespace evoke::test
