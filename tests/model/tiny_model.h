// A model folder small enough to write in a test, random weights in it.
#pragma once

#include <mlx/array.h>

#include <string>
#include <unordered_map>

#include "evoke/base/json.h"
#include "tests/support/temporary_folder.h"

namespace evoke::model::test {

using Arrays = std::unordered_map<std::string, mlx::core::array>;

// Two layers, 4 query and 2 KV heads of 16, hidden 32, tied embeddings;
// vocabulary of the tiny tokenizer (256) and 44 rows that are no token's.
Json tiny_config();
// Float32 weights that `config` asks for.
Arrays tiny_weights(const Json& config, uint64_t seed = 1);

void write_text(const std::string& path, const std::string& text);

// A folder that loads; tests then break it.
class TinyModel {
 public:
  explicit TinyModel(Json config = tiny_config());

  const std::string& path() const { return folder_.path(); }
  std::string file(const std::string& name) const { return folder_.file(name); }
  void write_config(const Json& config) const;
  void write_weights(const Arrays& weights,
                     const std::string& name = "model.safetensors") const;

 private:
  evoke::test::TemporaryFolder folder_;
};

}  // namespace evoke::model::test
