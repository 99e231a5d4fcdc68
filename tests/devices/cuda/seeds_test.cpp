// The seeds for Hopper: every shape of the workloads has a variant, and what
// lies between too. That they compile is compiler_test.cpp's to say, that they
// are right the gate's, on a GPU.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "cuda_kernels.h"
#include "evoke/core/launch_plan.h"
#include "tests/devices/attention_call.h"

namespace evoke::cuda {
namespace {

namespace fs = std::filesystem;
using evoke::testing::attention_signature;
using evoke::testing::hopper_options;

std::vector<fs::path> seed_files() {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(
           fs::path(EVOKE_KERNELS_FOLDER) / "attention" / "cuda")) {
    if (entry.path().extension() == ".cu") files.push_back(entry.path());
  }
  return files;
}

KernelSource read_seed(const fs::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return evoke::testing::parse_cuda(text.str(), path.string());
}

Shape shape_of(int batch, int queries, int keys) {
  evoke::testing::CallShape shape;
  shape.B = batch;
  shape.Lq = queries;
  shape.Lk = keys;
  shape.causal = true;
  return evoke::testing::to_shape(shape);
}

// Decode and prefill of the workloads, and what lies between.
std::vector<Shape> shapes() {
  std::vector<Shape> all;
  for (const int keys : {64, 1024, 32768}) {
    all.push_back(shape_of(1, 1, keys));
  }
  for (const int length : {32, 1024, 2048, 16384}) {
    all.push_back(shape_of(1, length, length));
  }
  all.push_back(shape_of(3, 1, 2055));
  all.push_back(shape_of(8, 1, 4096));
  all.push_back(shape_of(64, 1, 8192));
  all.push_back(shape_of(1, 3, 1000));
  all.push_back(shape_of(8, 2048, 2048));
  return all;
}

TEST(CudaSeedKernels, ResolveForTheShapesThatTheyAreFor) {
  const DeviceLimits limits = hopper_options().limits;
  ASSERT_GE(seed_files().size(), 5U);
  for (const fs::path& path : seed_files()) {
    const KernelSource kernel = read_seed(path);
    std::set<std::size_t> reached;
    for (const Shape& shape : shapes()) {
      const auto plan = resolve(kernel, attention_signature(), shape, limits);
      if (plan) {
        reached.insert(unit_of(*plan).variant);
      } else {
        // Decode kernels take no prefill; all else must resolve.
        EXPECT_EQ(plan.error().kind, ErrorKind::absent)
            << path << " " << shape.name << ": " << plan.error().message;
        EXPECT_NE(path.filename().string().find("decode"), std::string::npos)
            << path << " " << shape.name << ": " << plan.error().message;
      }
    }
    EXPECT_GE(reached.size(),
              std::min<std::size_t>(kernel.plan().variants.size(), 5U))
        << path;
  }
}

// The evolved block of a seed.
std::string code_of(const std::string& name) {
  const std::string text =
      read_seed(fs::path(EVOKE_KERNELS_FOLDER) / "attention" / "cuda" / name)
          .text();
  const std::string start = "// EVOLVE-BLOCK-START\n";
  const std::size_t begin = text.find(start) + start.size();
  return text.substr(begin, text.find("// EVOLVE-BLOCK-END") - begin);
}

void replace_all(std::string& text, const std::string& from,
                 const std::string& to) {
  for (std::size_t at = text.find(from); at != text.npos;
       at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

// A seed's code as one half of the composite: what its kernel calls goes into
// a namespace.
std::string half_of(const std::string& name, const std::string& space,
                    const std::string& kernel) {
  const std::string entry = "\nKERNEL(attend) {\n";
  const std::string code = code_of(name);
  const std::size_t at = code.find(entry);
  return "namespace " + space + " {\n\n" + code.substr(0, at) +
         "\n}  // namespace " + space + "\n\nKERNEL(" + kernel +
         ") {\n  using namespace " + space + ";\n" +
         code.substr(at + entry.size());
}

TEST(CudaSeedKernels, TheCompositeIsTheCodeOfTheTwoThatItNames) {
  std::string decode = half_of("decode_stream.cu", "decoder", "decode");
  replace_all(decode, "key_map", "key_stream");
  replace_all(decode, "value_map", "value_stream");
  EXPECT_EQ(
      code_of("composite.cu"),
      decode + "\n" + half_of("prefill_hopper.cu", "prefiller", "prefill"));
}

}  // namespace
}  // namespace evoke::cuda
