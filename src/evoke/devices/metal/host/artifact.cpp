#include "evoke/devices/metal/host/artifact.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>

#include "evoke/base/json.h"

namespace evoke::metal::host {
namespace {

constexpr std::string_view kMagic = "evkmetal";
constexpr std::array<std::string_view, 6> kKinds{"tensor", "shape", "strides",
                                                 "ndim",   "size",  "scalar"};

Json describe(const Artifact& artifact) {
  Json kernels = Json::array();
  for (const ArtifactKernel& kernel : artifact.kernels) {
    Json arguments = Json::array();
    for (const Argument& argument : kernel.arguments) {
      arguments.push_back(
          {{"kind", kKinds[static_cast<std::size_t>(argument.kind)]},
           {"name", argument.name}});
    }
    kernels.push_back({{"name", kernel.name}, {"arguments", arguments}});
  }
  return {{"kernels", kernels},
          {"lines", artifact.lines.to_json()},
          {"checked_lines", artifact.checked_lines.to_json()}};
}

void append(std::vector<std::byte>& out, const void* data, std::size_t bytes) {
  const auto* const first = static_cast<const std::byte*>(data);
  out.insert(out.end(), first, first + bytes);
}

Result<Argument> argument_from_json(const Json& json) {
  const std::string kind = json.value("kind", "");
  const auto* const found = std::find(kKinds.begin(), kKinds.end(), kind);
  if (found == kKinds.end()) return failed("no kind of argument: " + kind);
  return Argument{static_cast<Argument::Kind>(found - kKinds.begin()),
                  json.value("name", "")};
}

Result<void> read_description(const Json& json, Artifact& artifact) {
  if (!json.is_object() || !json.contains("kernels") ||
      !json["kernels"].is_array()) {
    return failed("no list of kernels");
  }
  for (const Json& each : json["kernels"]) {
    ArtifactKernel kernel;
    if (!each.is_object() || !each.contains("arguments")) {
      return failed("a kernel without arguments");
    }
    kernel.name = each.value("name", "");
    for (const Json& argument : each["arguments"]) {
      if (!argument.is_object()) return failed("an argument is an object");
      auto parsed = argument_from_json(argument);
      if (!parsed) return error_of(parsed);
      kernel.arguments.push_back(std::move(*parsed));
    }
    artifact.kernels.push_back(std::move(kernel));
  }
  auto lines = LineTable::from_json(json.value("lines", Json::array()));
  auto checked =
      LineTable::from_json(json.value("checked_lines", Json::array()));
  if (!lines) return error_of(lines);
  if (!checked) return error_of(checked);
  artifact.lines = std::move(*lines);
  artifact.checked_lines = std::move(*checked);
  return {};
}

}  // namespace

const ArtifactKernel* Artifact::find(const std::string& kernel) const {
  const auto found =
      std::find_if(kernels.begin(), kernels.end(),
                   [&](const auto& each) { return each.name == kernel; });
  return found == kernels.end() ? nullptr : &*found;
}

std::string entry_point(const std::string& kernel) {
  return "evoke_run_" + kernel;
}

std::vector<std::byte> to_bytes(const Artifact& artifact) {
  const std::string description = describe(artifact).dump();
  const std::array<uint64_t, 3> sizes{description.size(),
                                      artifact.object.size(),
                                      artifact.checked_object.size()};
  std::vector<std::byte> out;
  append(out, kMagic.data(), kMagic.size());
  append(out, sizes.data(), sizeof(sizes));
  append(out, description.data(), description.size());
  append(out, artifact.object.data(), artifact.object.size());
  append(out, artifact.checked_object.data(), artifact.checked_object.size());
  return out;
}

Result<Artifact> artifact_from_bytes(std::span<const std::byte> bytes) {
  std::array<uint64_t, 3> sizes{};
  const std::size_t start = kMagic.size() + sizeof(sizes);
  if (bytes.size() < start ||
      std::memcmp(bytes.data(), kMagic.data(), kMagic.size()) != 0) {
    return failed("not a compiled Metal kernel");
  }
  std::memcpy(sizes.data(), bytes.data() + kMagic.size(), sizeof(sizes));
  std::span<const std::byte> rest = bytes.subspan(start);
  std::array<std::span<const std::byte>, 3> parts;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (sizes[i] > rest.size()) return failed("a compiled kernel cut short");
    parts[i] = rest.first(sizes[i]);
    rest = rest.subspan(sizes[i]);
  }
  const auto* const text = reinterpret_cast<const char*>(parts[0].data());
  const Json json = Json::parse(text, text + parts[0].size(), nullptr,
                                /*allow_exceptions=*/false);
  Artifact artifact;
  if (auto read = read_description(json, artifact); !read) {
    return failed("a compiled Metal kernel: " + read.error().message);
  }
  artifact.object.assign(parts[1].begin(), parts[1].end());
  artifact.checked_object.assign(parts[2].begin(), parts[2].end());
  return artifact;
}

}  // namespace evoke::metal::host
