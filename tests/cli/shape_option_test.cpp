#include "evoke/cli/shape_option.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "evoke/attention/shape.h"
#include "evoke/attention/workload.h"
#include "evoke/cli/commands.h"

namespace evoke::cli {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

Workload quick() { return *attention::find_workload("quick"); }

Shape only_shape(const std::string& asked) {
  const Workload chosen = choose_shapes(quick(), {asked});
  EXPECT_THAT(chosen.shapes, SizeIs(1));
  return chosen.shapes.at(0).shape;
}

TEST(ShapeOption, NothingAskedIsTheWholeWorkload) {
  const Workload chosen = choose_shapes(quick(), {});
  EXPECT_EQ(chosen.name, "quick");
  EXPECT_EQ(chosen.shapes.size(), quick().shapes.size());
}

TEST(ShapeOption, NamesAreOfTheWorkloadOrABuiltInOne) {
  EXPECT_EQ(only_shape("decode-1024").values.at("Lk"), 1024);
  EXPECT_EQ(only_shape("prefill-8192").values.at("Lq"), 8192);
  EXPECT_EQ(only_shape("decode-4096-b8").values.at("B"), 8);
}

TEST(ShapeOption, LettersLeaveTheRestToQwen) {
  const auto decode = attention::from_shape(only_shape("Lk=3000,B=4"));
  EXPECT_EQ(decode.Lk, 3000);
  EXPECT_EQ(decode.B, 4);
  EXPECT_EQ(decode.Lq, 1);
  EXPECT_EQ(decode.Hq, 16);
  EXPECT_FALSE(decode.causal);
  EXPECT_TRUE(attention::from_shape(only_shape("Lq=32,Lk=64")).causal);
  EXPECT_FALSE(
      attention::from_shape(only_shape("Lq=32,Lk=64,causal=0")).causal);
}

TEST(ShapeOption, AShapeAskedTwiceIsTakenOnce) {
  const Workload chosen =
      choose_shapes(quick(), {"Lk=4096", "decode-4096", "decode-256"});
  EXPECT_THAT(chosen.shapes, SizeIs(2));
}

TEST(ShapeOption, WhatMakesNoSenseIsNamed) {
  const auto refusal = [](const std::string& asked) -> std::string {
    try {
      choose_shapes(quick(), {asked});
    } catch (const UsageError& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_THAT(refusal("decode-4095"), HasSubstr("decode-4096"));
  EXPECT_THAT(refusal(""), HasSubstr("no shape is called so"));
  EXPECT_THAT(refusal("Lx=4"), HasSubstr("no letter 'Lx'"));
  EXPECT_THAT(refusal("Lk=many"), HasSubstr("'Lk=many'"));
  EXPECT_THAT(refusal("Lk="), HasSubstr("'Lk='"));
  EXPECT_THAT(refusal("Lk=4x"), HasSubstr("'Lk=4x'"));
  EXPECT_THAT(refusal("Lk=4,,B=2"), HasSubstr("''"));
  EXPECT_THAT(refusal("Lk=0"), HasSubstr("Lk is 0"));
  EXPECT_THAT(refusal("Hq=15"), HasSubstr("multiple of Hkv"));
  EXPECT_THAT(refusal("Lk=4,causal=2"), HasSubstr("causal is 0 or 1"));
}

}  // namespace
}  // namespace evoke::cli
