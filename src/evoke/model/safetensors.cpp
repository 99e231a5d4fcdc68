#include "evoke/model/safetensors.h"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <limits>
#include <optional>
#include <string_view>
#include <utility>

#include "evoke/base/json.h"
#include "evoke/base/utf8.h"
#include "evoke/model/tokenizer/json_part.h"

namespace evoke::model {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMaxHeadBytes = 100'000'000;  // the format's own limit

// Bytes of one element; empty for a type that no Qwen3 is stored in.
std::optional<uint64_t> element_bytes(std::string_view dtype) {
  for (const auto& [name, bytes] :
       {std::pair{"BF16", 2}, {"F16", 2}, {"F32", 4}, {"U32", 4}}) {
    if (dtype == name) return bytes;
  }
  return std::nullopt;
}

// Saturates, so that no shape looks smaller than it is.
uint64_t bytes_of(const std::vector<int64_t>& shape, uint64_t element) {
  uint64_t bytes = element;
  for (const int64_t extent : shape) {
    const auto n = static_cast<uint64_t>(extent);
    if (n != 0 && bytes > std::numeric_limits<uint64_t>::max() / n) {
      return std::numeric_limits<uint64_t>::max();
    }
    bytes *= n;
  }
  return bytes;
}

StoredTensor parse_tensor(const std::string& name, const Json& json,
                          uint64_t data_bytes) {
  const Json* dtype = find_key(json, "dtype");
  const Json* shape = find_key(json, "shape");
  const Json* offsets = find_key(json, "data_offsets");
  const auto is_count = [](const Json& n) { return n.is_number_unsigned(); };
  if (dtype == nullptr || !dtype->is_string() || shape == nullptr ||
      !shape->is_array() ||
      !std::all_of(shape->begin(), shape->end(), is_count) ||
      offsets == nullptr || !offsets->is_array() || offsets->size() != 2 ||
      !std::all_of(offsets->begin(), offsets->end(), is_count)) {
    refuse("its head does not describe " + in_quotes(name));
  }
  StoredTensor tensor{dtype->get<std::string>(),
                      shape->get<std::vector<int64_t>>()};
  const auto begin = offsets->at(0).get<uint64_t>();
  const auto end = offsets->at(1).get<uint64_t>();
  if (end > data_bytes) {
    refuse("cut short: " + in_quotes(name) +
           " would end beyond the file's end; copy it again");
  }
  const auto element = element_bytes(tensor.dtype);
  if (!element) {
    refuse(in_quotes(name) + " is of type " + tensor.dtype +
           "; supported are BF16, F16, F32 and MLX's quantized U32");
  }
  if (begin > end || end - begin != bytes_of(tensor.shape, *element)) {
    refuse(in_quotes(name) + " has other bytes than its shape asks for");
  }
  return tensor;
}

StoredTensors parse_head(std::istream& file, uint64_t file_bytes) {
  unsigned char size[8] = {};
  if (!file.read(reinterpret_cast<char*>(size), sizeof size)) {
    refuse("cut short: only " + std::to_string(file_bytes) + " bytes");
  }
  if (std::memcmp(size, "version ", sizeof size) == 0) {
    refuse(
        "a pointer of Git LFS in place of the file; 'git lfs pull' in its "
        "repository gets it");
  }
  uint64_t head_bytes = 0;
  for (int i = 7; i >= 0; --i) head_bytes = head_bytes << 8 | size[i];
  if (head_bytes > kMaxHeadBytes) refuse("not a safetensors file");
  if (head_bytes > file_bytes - sizeof size) refuse("cut short in its head");
  std::string text(head_bytes, '\0');
  if (!file.read(text.data(), static_cast<std::streamsize>(head_bytes))) {
    refuse("cannot be read");
  }
  const Json head = Json::parse(text, nullptr, false);
  if (!head.is_object()) refuse("not a safetensors file");
  StoredTensors tensors;
  for (const auto& [name, json] : head.items()) {
    if (name == "__metadata__") continue;
    tensors[name] =
        parse_tensor(name, json, file_bytes - sizeof size - head_bytes);
  }
  return tensors;
}

}  // namespace

Result<StoredTensors> read_safetensors_head(const fs::path& path) {
  const std::string name = one_line(path.string(), 500);
  std::error_code error;
  const uint64_t file_bytes = fs::file_size(path, error);
  if (error == std::errc::no_such_file_or_directory) {
    return absent(name + ": no such file");
  }
  std::ifstream file(path, std::ios::binary);
  if (error || !file) return failed(name + ": cannot be read");
  try {
    return parse_head(file, file_bytes);
  } catch (const FileError& fault) {
    return failed(name + ": " + fault.what);
  }
}

}  // namespace evoke::model
