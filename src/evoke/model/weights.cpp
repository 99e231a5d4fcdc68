#include "evoke/model/weights.h"

#include <mlx/io.h>
#include <mlx/ops.h>

#include <set>
#include <utility>

#include "evoke/base/fd.h"
#include "evoke/base/json.h"
#include "evoke/base/utf8.h"
#include "evoke/model/safetensors.h"
#include "evoke/model/tokenizer/json_part.h"

namespace evoke::model {
namespace {

namespace fs = std::filesystem;
namespace mx = mlx::core;

constexpr const char* kSingle = "model.safetensors";
constexpr const char* kIndex = "model.safetensors.index.json";

std::string name_of(const fs::path& path) {
  return one_line(path.string(), 500);
}

// The shards that an index names, each once.
Result<std::set<std::string>> read_index(const fs::path& path) {
  const auto text = read_file(path.string());
  if (!text) return error_of(text);
  const Json json = Json::parse(*text, nullptr, false);
  const Json* map = find_key(json, "weight_map");
  if (map == nullptr || !map->is_object() || map->empty()) {
    return failed(name_of(path) +
                  ": damaged or cut short: no weight_map in it");
  }
  std::set<std::string> files;
  for (const auto& [name, file] : map->items()) {
    if (!file.is_string() ||
        fs::path(file.get<std::string>()).has_parent_path()) {
      return failed(name_of(path) + ": " + in_quotes(name) +
                    " is not in a file of this folder");
    }
    files.insert(file.get<std::string>());
  }
  return files;
}

Result<std::set<std::string>> find_files(const fs::path& folder) {
  std::error_code ignored;
  if (fs::exists(folder / kSingle, ignored)) {
    return std::set<std::string>{kSingle};
  }
  const auto shards = read_index(folder / kIndex);
  if (!shards) {
    if (shards.error().kind != ErrorKind::absent) return shards;
    return absent(name_of(folder) + ": no weights in it (neither " + kSingle +
                  " nor " + kIndex + ")");
  }
  std::string missing;
  int count = 0;
  for (const std::string& file : *shards) {
    if (fs::exists(folder / file, ignored)) continue;
    if (count++ == 0) missing = file;
  }
  if (count != 0) {
    return absent(name_of(folder) + ": " + std::to_string(count) + " of " +
                  std::to_string(shards->size()) +
                  " files with weights are missing, the first is " +
                  in_quotes(missing) + "; copy or download them, too");
  }
  return shards;
}

std::string text_of(const mx::Shape& shape) {
  std::string text;
  for (const int extent : shape) {
    text += (text.empty() ? "" : " x ") + std::to_string(extent);
  }
  return text;
}

}  // namespace

Result<Weights> Weights::open(const fs::path& model_folder) {
  const auto files = find_files(model_folder);
  if (!files) return error_of(files);
  Weights weights;
  for (const std::string& file : *files) {
    const fs::path path = model_folder / file;
    if (const auto head = read_safetensors_head(path); !head) {
      return error_of(head);
    }
    try {
      for (auto& [name, array] : mx::load_safetensors(path.string()).first) {
        weights.arrays_.insert_or_assign(name, std::move(array));
      }
    } catch (const std::exception& error) {
      return failed(name_of(path) + ": " + one_line(error.what()));
    }
  }
  return weights;
}

void Weights::cast(mx::Dtype dtype) {
  for (auto& [name, array] : arrays_) {
    if (mx::issubdtype(array.dtype(), mx::floating)) {
      array = mx::astype(array, dtype);
    }
  }
}

bool Weights::has(std::string_view name) const {
  return arrays_.find(name) != arrays_.end();
}

mx::array Weights::take(const std::string& name, const mx::Shape& shape) {
  const auto found = arrays_.find(name);
  if (found == arrays_.end()) {
    refuse("no weight " + in_quotes(name) + " in it");
  }
  mx::array array = std::move(found->second);
  arrays_.erase(found);
  if (array.shape() != shape) {
    refuse(in_quotes(name) + " is " + text_of(array.shape()) +
           ", config.json asks for " + text_of(shape));
  }
  return array;
}

std::vector<std::string> Weights::rest() const {
  std::vector<std::string> names;
  for (const auto& entry : arrays_) names.push_back(entry.first);
  return names;
}

}  // namespace evoke::model
