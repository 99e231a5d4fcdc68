#include "mlx_trace.h"

#include <mlx/mlx.h>

#include <iostream>
#include <sstream>
#include <stdexcept>

#include "tests/support/temporary_folder.h"

namespace evoke::testing {
namespace {

namespace mx = mlx::core;
using metal::ElementType;

mx::Dtype dtype_of(ElementType type) {
  switch (type) {
    case ElementType::bool_:
      return mx::bool_;
    case ElementType::int8:
      return mx::int8;
    case ElementType::int16:
      return mx::int16;
    case ElementType::int32:
      return mx::int32;
    case ElementType::int64:
      return mx::int64;
    case ElementType::uint8:
      return mx::uint8;
    case ElementType::uint16:
      return mx::uint16;
    case ElementType::uint32:
      return mx::uint32;
    case ElementType::uint64:
      return mx::uint64;
    case ElementType::float16:
      return mx::float16;
    case ElementType::bfloat16:
      return mx::bfloat16;
    case ElementType::float32:
      return mx::float32;
    case ElementType::complex64:
      return mx::complex64;
  }
  throw std::logic_error("no such type");
}

mx::fast::TemplateArg template_value(const metal::MlxTemplateArgument& given) {
  if (const int* number = std::get_if<int>(&given.value)) return *number;
  if (const bool* truth = std::get_if<bool>(&given.value)) return *truth;
  return dtype_of(std::get<ElementType>(given.value));
}

// Takes standard output for as long as it lives.
class CapturedOutput {
 public:
  CapturedOutput() : before_(std::cout.rdbuf(text_.rdbuf())) {}
  ~CapturedOutput() { std::cout.rdbuf(before_); }
  CapturedOutput(const CapturedOutput&) = delete;
  CapturedOutput& operator=(const CapturedOutput&) = delete;
  std::string text() const { return text_.str(); }

 private:
  std::ostringstream text_;
  std::streambuf* before_;
};

// Between the lines of three backticks.
std::string fenced(const std::string& printed) {
  const std::string fence = "```\n";
  const auto begin = printed.find(fence);
  const auto end = printed.rfind("\n" + fence);
  if (begin == std::string::npos || end <= begin) {
    throw std::runtime_error("MLX printed no source: " + printed);
  }
  return printed.substr(begin + fence.size(), end - begin - fence.size());
}

}  // namespace

std::string text_by_mlx(const metal::MlxKernel& kernel) {
  std::vector<std::string> inputs;
  std::vector<std::string> outputs;
  std::vector<mx::array> arrays;
  std::vector<mx::Shape> shapes;
  std::vector<mx::Dtype> types;
  for (const metal::MlxArray& input : kernel.inputs) {
    inputs.push_back(input.name);
    arrays.push_back(
        mx::zeros(mx::Shape(input.shape.begin(), input.shape.end()),
                  dtype_of(input.type), mx::Device::cpu));
  }
  for (const metal::MlxArray& output : kernel.outputs) {
    outputs.push_back(output.name);
    shapes.emplace_back(output.shape.begin(), output.shape.end());
    types.push_back(dtype_of(output.type));
  }
  std::vector<std::pair<std::string, mx::fast::TemplateArg>> arguments;
  for (const metal::MlxTemplateArgument& given : kernel.template_arguments) {
    arguments.emplace_back(given.name, template_value(given));
  }
  const auto call =
      mx::fast::metal_kernel(kernel.name, inputs, outputs, kernel.source,
                             kernel.header, true, kernel.atomic_outputs);
  const test::TemporaryFolder folder;
  const CapturedOutput captured;
  mx::export_function(
      folder.file("kernel.mlxfn"),
      [&](const std::vector<mx::array>& traced) {
        return call(traced, shapes, types, {32, 1, 1}, {32, 1, 1}, arguments,
                    std::nullopt, /*verbose=*/true, {});
      },
      arrays);
  return fenced(captured.text());
}

}  // namespace evoke::testing
