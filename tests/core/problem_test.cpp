#include "evoke/core/problem.h"

#include <gtest/gtest.h>

namespace evoke {
namespace {

TEST(GateCase, LabelNamesShapeInputAndLayout) {
  GateCase gate_case;
  gate_case.shape.name = "decode-4096";
  gate_case.input = "needle";
  gate_case.layout = "cache";
  EXPECT_EQ(gate_case.label(), "decode-4096/needle/cache");
}

}  // namespace
}  // namespace evoke
