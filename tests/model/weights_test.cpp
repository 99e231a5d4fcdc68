#include "evoke/model/weights.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <mlx/ops.h>

#include <filesystem>
#include <string>

#include "evoke/base/fd.h"
#include "evoke/base/json.h"
#include "evoke/model/tokenizer/json_part.h"
#include "tests/model/tiny_model.h"

namespace evoke::model {
namespace {

namespace fs = std::filesystem;
namespace mx = mlx::core;
using test::Arrays;
using test::tiny_config;
using test::tiny_weights;
using test::TinyModel;
using test::write_text;
using testing::HasSubstr;

constexpr const char* kIndex = "model.safetensors.index.json";

// The same weights in two files and an index.
void split(const TinyModel& model, const Arrays& weights) {
  fs::remove(model.file("model.safetensors"));
  Arrays parts[2];
  Json map = Json::object();
  int count = 0;
  for (const auto& [name, array] : weights) {
    const int part = count++ % 2;
    parts[part].emplace(name, array);
    map[name] = part == 0 ? "a.safetensors" : "b.safetensors";
  }
  model.write_weights(parts[0], "a.safetensors");
  model.write_weights(parts[1], "b.safetensors");
  write_text(model.file(kIndex), Json({{"weight_map", map}}).dump());
}

TEST(Weights, AreTheSameFromOneFileAndFromShards) {
  const Arrays stored = tiny_weights(tiny_config());
  const TinyModel single;
  const TinyModel sharded;
  split(sharded, stored);
  for (const TinyModel* model : {&single, &sharded}) {
    auto weights = Weights::open(model->path());
    ASSERT_TRUE(weights) << weights.error().message;
    for (const auto& [name, array] : stored) {
      ASSERT_TRUE(weights->has(name));
      EXPECT_TRUE(mx::array_equal(weights->take(name, array.shape()), array)
                      .item<bool>());
      EXPECT_FALSE(weights->has(name)) << "given twice";
    }
    EXPECT_TRUE(weights->rest().empty());
  }
}

TEST(Weights, SaysWhichShardIsMissing) {
  const TinyModel model;
  split(model, tiny_weights(tiny_config()));
  fs::remove(model.file("b.safetensors"));
  const auto weights = Weights::open(model.path());
  ASSERT_FALSE(weights);
  EXPECT_EQ(weights.error().kind, ErrorKind::absent);
  EXPECT_THAT(weights.error().message, HasSubstr("1 of 2 files"));
  EXPECT_THAT(weights.error().message, HasSubstr("'b.safetensors'"));
}

TEST(Weights, RefusesADamagedShard) {
  const TinyModel model;
  split(model, tiny_weights(tiny_config()));
  const std::string whole = *read_file(model.file("a.safetensors"));
  write_text(model.file("a.safetensors"), whole.substr(0, whole.size() / 2));
  const auto weights = Weights::open(model.path());
  ASSERT_FALSE(weights);
  EXPECT_THAT(weights.error().message, HasSubstr("a.safetensors: cut short"));
}

TEST(Weights, RefusesADamagedIndex) {
  const TinyModel model;
  fs::remove(model.file("model.safetensors"));
  for (const char* index :
       {"{", "[]", "{}", R"({"weight_map": {}})", R"({"weight_map": {"a": 3}})",
        R"({"weight_map": {"a": "../b.safetensors"}})"}) {
    write_text(model.file(kIndex), index);
    const auto weights = Weights::open(model.path());
    ASSERT_FALSE(weights) << index;
    EXPECT_EQ(weights.error().kind, ErrorKind::failed);
    EXPECT_THAT(weights.error().message, HasSubstr(kIndex));
  }
}

TEST(Weights, SaysThatThereAreNone) {
  const TinyModel model;
  fs::remove(model.file("model.safetensors"));
  const auto weights = Weights::open(model.path());
  ASSERT_FALSE(weights);
  EXPECT_EQ(weights.error().kind, ErrorKind::absent);
  EXPECT_THAT(weights.error().message, HasSubstr("no weights"));
}

TEST(Weights, ChecksShapes) {
  const TinyModel model;
  auto weights = Weights::open(model.path());
  ASSERT_TRUE(weights);
  try {
    weights->take("model.norm.weight", {33});
    FAIL() << "took another shape";
  } catch (const FileError& error) {
    EXPECT_THAT(error.what, HasSubstr("'model.norm.weight' is 32"));
    EXPECT_THAT(error.what, HasSubstr("asks for 33"));
  }
  EXPECT_THROW(weights->take("no.such.weight", {1}), FileError);
}

TEST(Weights, AreCastButPackedOnes) {
  const TinyModel model;
  model.write_weights({{"a", mx::ones({2, 2}, mx::bfloat16)},
                       {"b", mx::ones({2, 2}, mx::uint32)}});
  auto weights = Weights::open(model.path());
  ASSERT_TRUE(weights);
  weights->cast(mx::float16);
  EXPECT_EQ(weights->take("a", {2, 2}).dtype(), mx::float16);
  EXPECT_EQ(weights->take("b", {2, 2}).dtype(), mx::uint32);
}

}  // namespace
}  // namespace evoke::model
