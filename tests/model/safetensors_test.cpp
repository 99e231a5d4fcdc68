#include "evoke/model/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "evoke/base/fd.h"
#include "evoke/base/json.h"
#include "tests/model/tiny_model.h"

namespace evoke::model {
namespace {

using test::TinyModel;
using test::write_text;
using testing::ElementsAre;
using testing::HasSubstr;

// A file with this head and so many bytes of data behind it.
std::string safetensors(const std::string& head, std::size_t data_bytes) {
  std::string text;
  for (std::size_t n = head.size(), i = 0; i < 8; ++i, n >>= 8) {
    text += static_cast<char>(n & 255);
  }
  return text + head + std::string(data_bytes, 'x');
}

TEST(Safetensors, TellsTypesAndShapes) {
  const TinyModel model;
  const auto head = read_safetensors_head(model.file("model.safetensors"));
  ASSERT_TRUE(head) << head.error().message;
  const StoredTensor& norm = head->at("model.norm.weight");
  EXPECT_EQ(norm.dtype, "F32");
  EXPECT_THAT(norm.shape, ElementsAre(32));
  EXPECT_THAT(head->at("model.layers.1.mlp.up_proj.weight").shape,
              ElementsAre(64, 32));
}

TEST(Safetensors, FindsAFileCutShortAnywhere) {
  const TinyModel model;
  const std::string path = model.file("model.safetensors");
  const std::string whole = *read_file(path);
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{5}, std::size_t{8}, std::size_t{100},
        whole.size() / 2, whole.size() - 1}) {
    write_text(path, whole.substr(0, size));
    const auto head = read_safetensors_head(path);
    ASSERT_FALSE(head) << size;
    EXPECT_EQ(head.error().kind, ErrorKind::failed);
    EXPECT_THAT(head.error().message, HasSubstr("cut short")) << size;
  }
}

TEST(Safetensors, RefusesWhatIsNone) {
  struct Fault {
    std::string content;
    const char* says;
  };
  const auto tensor = [](const char* dtype, int rows, int end) {
    return Json({{"a",
                  {{"dtype", dtype},
                   {"shape", {rows, 2}},
                   {"data_offsets", {0, end}}}}})
        .dump();
  };
  const std::vector<Fault> faults = {
      {"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
       "Git LFS"},
      {"<!DOCTYPE html><html>not a model</html>", "not a safetensors file"},
      {safetensors("[]", 0), "not a safetensors file"},
      {safetensors("{\"a\": 3}", 0), "does not describe 'a'"},
      {safetensors(tensor("F32", 3, 24), 20), "cut short"},
      {safetensors(tensor("F32", 3, 20), 20), "other bytes"},
      {safetensors(tensor("F8_E4M3", 3, 6), 6), "F8_E4M3"},
      {safetensors(tensor("F32", -3, 24), 24), "does not describe 'a'"},
  };
  const evoke::test::TemporaryFolder folder;
  for (const Fault& fault : faults) {
    write_text(folder.file("x.safetensors"), fault.content);
    const auto head = read_safetensors_head(folder.file("x.safetensors"));
    ASSERT_FALSE(head) << fault.says;
    EXPECT_THAT(head.error().message, HasSubstr(fault.says));
  }
  write_text(folder.file("x.safetensors"),
             safetensors(tensor("F32", 3, 24), 24));
  EXPECT_TRUE(read_safetensors_head(folder.file("x.safetensors")));
  EXPECT_EQ(read_safetensors_head(folder.file("nowhere")).error().kind,
            ErrorKind::absent);
}

}  // namespace
}  // namespace evoke::model
