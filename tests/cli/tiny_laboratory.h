// A laboratory on the cpu whose workload is small enough for seconds.
#pragma once

#include <fmt/format.h>

#include <fstream>
#include <memory>
#include <stdexcept>
#include <utility>

#include "evoke/attention/problem.h"
#include "evoke/cli/laboratory.h"
#include "tests/support/runner_path.h"
#include "tests/support/temporary_folder.h"

namespace evoke::cli {

// Without a bench; the workload is one decode over 200 keys.
inline Laboratory tiny_laboratory(const test::TemporaryFolder& folder,
                                  int num_q_heads, int num_kv_heads) {
  Laboratory laboratory;
  laboratory.device = "cpu";
  laboratory.problem = make_attention_problem();
  std::ofstream(folder.file("tiny.toml")) << fmt::format(
      "name = \"tiny\"\n[[shape]]\nHq = {}\nHkv = {}\n"
      "D = 64\nLk = 200\n",
      num_q_heads, num_kv_heads);
  laboratory.workload =
      laboratory.problem->workload(folder.file("tiny.toml")).value();
  return laboratory;
}

// With a compile cache of the folder's own.
inline std::unique_ptr<judge::Workbench> open_tiny_bench(
    const test::TemporaryFolder& folder, const Problem& problem,
    judge::WorkbenchOptions options = {}) {
  options.runner_path = test::runner_path();
  options.compile_cache.folder = folder.file("compile");
  auto bench = judge::Workbench::open(problem, options);
  if (!bench) throw std::runtime_error(bench.error().message);
  return std::move(*bench);
}

}  // namespace evoke::cli
