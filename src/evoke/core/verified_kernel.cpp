#include "evoke/core/verified_kernel.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>
#include <string_view>
#include <system_error>

#include "evoke/base/atomic_file.h"
#include "evoke/base/fd.h"
#include "evoke/base/folders.h"
#include "evoke/base/hash.h"
#include "evoke/base/json.h"

namespace evoke {
namespace {

constexpr std::string_view kFormat = "evoke verified kernel 1\n";
constexpr std::size_t kHashDigits = 32;

std::string path_of(const std::string& folder, const std::string& hash,
                    const std::string& device, const std::string& heads) {
  return fmt::format("{}/{}-{}-{}", folder, hash, device, heads);
}

Json to_json(const VerifiedUnit& unit) {
  const auto* bytes =
      reinterpret_cast<const std::uint8_t*>(unit.artifact.data());
  return {{"variant", unit.unit.variant},
          {"constants", unit.unit.constants},
          {"artifact", Json::binary({bytes, bytes + unit.artifact.size()})}};
}

Json to_json(const VerifiedKernel& kernel) {
  const DeviceLimits& limits = kernel.limits;
  Json json = {
      {"kernel_hash", kernel.kernel_hash},
      {"device", kernel.device},
      {"heads", kernel.heads},
      {"limits",
       {limits.num_sms, limits.l2_bytes, limits.max_threadgroup_memory,
        limits.max_threads, limits.max_threadgroups, limits.max_scratch_bytes}},
      {"compiler_id", kernel.compiler_id},
      {"gate", kernel.gate},
      {"units", Json::array()}};
  for (const VerifiedUnit& unit : kernel.units) {
    json["units"].push_back(to_json(unit));
  }
  return json;
}

// Throws Json::exception on another structure.
VerifiedKernel from_json(const Json& json) {
  VerifiedKernel kernel;
  kernel.kernel_hash = json.at("kernel_hash").get<std::string>();
  kernel.device = json.at("device").get<std::string>();
  kernel.heads = json.at("heads").get<std::string>();
  const auto limits = json.at("limits").get<std::array<int64_t, 6>>();
  kernel.limits = {limits[0], limits[1], limits[2],
                   limits[3], limits[4], limits[5]};
  kernel.compiler_id = json.at("compiler_id").get<std::string>();
  kernel.gate = json.at("gate").get<std::string>();
  for (const Json& each : json.at("units")) {
    VerifiedUnit unit;
    unit.unit.variant = each.at("variant").get<std::size_t>();
    unit.unit.constants = each.at("constants").get<Symbols>();
    const auto& bytes = each.at("artifact").get_binary();
    const auto* begin = reinterpret_cast<const std::byte*>(bytes.data());
    unit.artifact.assign(begin, begin + bytes.size());
    kernel.units.push_back(std::move(unit));
  }
  return kernel;
}

// Empty: not what write_verified_kernel writes.
std::optional<VerifiedKernel> parse(std::string_view text) {
  if (!text.starts_with(kFormat) ||
      text.size() < kFormat.size() + kHashDigits) {
    return {};
  }
  const std::string_view content = text.substr(0, text.size() - kHashDigits);
  if (hash_hex(content) != text.substr(content.size())) return {};
  try {
    const std::string_view body = content.substr(kFormat.size());
    return from_json(Json::from_cbor(body.begin(), body.end()));
  } catch (const Json::exception&) {
    return {};
  }
}

}  // namespace

const VerifiedUnit* VerifiedKernel::find(const CompileUnit& unit) const {
  const auto found =
      std::find_if(units.begin(), units.end(),
                   [&](const VerifiedUnit& each) { return each.unit == unit; });
  return found == units.end() ? nullptr : &*found;
}

std::string heads_label(int64_t num_q_heads, int64_t num_kv_heads,
                        int64_t head_dim) {
  return fmt::format("{}-{}-{}", num_q_heads, num_kv_heads, head_dim);
}

std::string default_verified_folder() { return cache_home() + "/verified"; }

Result<void> write_verified_kernel(const std::string& folder,
                                   const VerifiedKernel& kernel) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) {
    return failed(
        fmt::format("cannot make {}: {}; set XDG_CACHE_HOME to a "
                    "folder that can be written",
                    folder, error.message()));
  }
  std::string text(kFormat);
  const auto body = Json::to_cbor(to_json(kernel));
  text.append(body.begin(), body.end());
  text += hash_hex(text);
  return write_file_atomically(
      path_of(folder, kernel.kernel_hash, kernel.device, kernel.heads), text);
}

Result<VerifiedKernel> read_verified_kernel(const std::string& folder,
                                            const KernelSource& kernel,
                                            const std::string& heads) {
  const std::string device(to_string(kernel.dialect()));
  const std::string path = path_of(folder, kernel.hash(), device, heads);
  const auto text = read_file(path);
  auto record = text ? parse(*text) : std::nullopt;
  // The name is not what counts.
  if (record && record->kernel_hash == kernel.hash() &&
      record->device == device && record->heads == heads) {
    return std::move(*record);
  }
  return absent(fmt::format(
      "{}: this text ({}) has not passed the gate for heads {}; run: evoke "
      "verify {} --heads {}",
      kernel.path(), kernel.hash().substr(0, 8), heads, kernel.path(), heads));
}

}  // namespace evoke
