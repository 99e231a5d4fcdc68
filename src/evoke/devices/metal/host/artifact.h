// What compiling gives and loading takes: both objects, and how each kernel
// is called.
//
//   "evkmetal"  bytes of the description, of the run object, of the checked
//   object (64 bits each, little endian), then the three
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "evoke/base/error.h"
#include "evoke/devices/metal/host/line_table.h"

namespace evoke::metal::host {

// One argument of a kernel, in the order of its parameters.
struct Argument {
  enum class Kind { tensor, shape, strides, ndim, size, scalar };
  Kind kind = Kind::tensor;
  std::string name;  // of the tensor, the size or the scalar
};

struct ArtifactKernel {
  std::string name;  // KERNEL(name)
  std::vector<Argument> arguments;
};

struct Artifact {
  std::vector<ArtifactKernel> kernels;
  std::vector<std::byte> object;
  std::vector<std::byte> checked_object;
  LineTable lines;
  LineTable checked_lines;

  const ArtifactKernel* find(const std::string& kernel) const;
};

std::vector<std::byte> to_bytes(const Artifact& artifact);
Result<Artifact> artifact_from_bytes(std::span<const std::byte> bytes);

// Exported by both objects.
std::string entry_point(const std::string& kernel);

}  // namespace evoke::metal::host
