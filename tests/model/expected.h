// What other implementations answer: make_expected.py, run by the fixture
// `model_expected`.
#pragma once

#include <gtest/gtest.h>
#include <mlx/array.h>
#include <mlx/io.h>

#include <string>
#include <unordered_map>

#include "evoke/base/fd.h"
#include "evoke/base/json.h"
#include "evoke/model/qwen3.h"

namespace evoke::model::test {

inline const std::string kFolder = EVOKE_MODEL_EXPECTED;

class ModelExpected : public testing::Test {
 protected:
  void SetUp() override {
    const auto versions = read_file(kFolder + "/versions");
    if (!versions) {
      GTEST_SKIP() << "nothing to compare with: run it through ctest, whose "
                      "fixture model_expected makes it";
    }
    if (versions->starts_with("unavailable")) GTEST_SKIP() << *versions;
  }
};

inline Json json_of(const std::string& name) {
  const auto text = read_file(kFolder + "/" + name);
  EXPECT_TRUE(text) << name;
  return Json::parse(text.value_or("null"));
}

inline std::unordered_map<std::string, mlx::core::array> arrays_of(
    const std::string& name) {
  return mlx::core::load_safetensors(kFolder + "/" + name).first;
}

inline Qwen3 load_model(const std::string& name,
                        std::optional<mlx::core::Dtype> dtype = std::nullopt) {
  auto model = Qwen3::load(kFolder + "/" + name, dtype, fast_attention());
  if (!model) throw std::runtime_error(model.error().message);
  return *std::move(model);
}

}  // namespace evoke::model::test
