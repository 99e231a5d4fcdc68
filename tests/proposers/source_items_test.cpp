#include "evoke/proposers/parameters/source_items.h"

#include <gtest/gtest.h>

namespace evoke::parameters {
namespace {

std::vector<std::string> names_of(std::string_view code) {
  std::vector<std::string> names;
  const SourceItems source = items_of(code);
  EXPECT_TRUE(source.understood) << code;
  for (const SourceItem& item : source.items) {
    names.push_back(item.names.empty() ? "" : *item.names.begin());
  }
  return names;
}

TEST(SourceItems, NamesWhatStandsAtTheTop) {
  const std::vector<std::string> expected{
      "",    "Row", "Mode", "Alias", "kHeads", "table", "plain",
      "sum", "f",   "g",    "k1",    "",       "k2",    "last"};
  EXPECT_EQ(names_of(R"(
#include <cmath>
struct alignas(64) Row { float sum[2] = {}; int f() { return 1; } };
enum class Mode : int { a, b };
using Alias = float;
constexpr int kHeads = Hq / Hkv;
const float table[3] = {1, 2, 3};
int plain;
template <int n = 3, typename T>
inline float sum(const T (&x)[n]) { return x[0] < 1 ? 1 : 2; }
__attribute__((noinline)) void f(int a, int b) {}
[[maybe_unused]] inline auto g() -> float { return 'x' + 1'000; }
KERNEL(k1) { if (a) { b(); } }
static_assert(kHeads > 0, "not; this");
KERNEL ( k2 ) { // } in a comment
  const char* text = "}"; }
inline Row last(Row row) { return Row{row}; }
)"),
            expected);
}

TEST(SourceItems, AConditionalIsOneItemThatDeclaresAllItsBranches) {
  const SourceItems source = items_of(
      "#if A\n#  if B\nint a;\n#endif\n#pragma x\nint b() { return 1; }\n"
      "#elif C\nint c;\n#else\nint d;\n#endif\nint e;");
  EXPECT_TRUE(source.understood);
  ASSERT_EQ(source.items.size(), 2u);
  EXPECT_EQ(source.items[0].names, (Names{"a", "b", "c", "d"}));
  EXPECT_EQ(source.items[1].names, (Names{"e"}));
}

TEST(SourceItems, OffsetsFrameTheTokens) {
  const std::string code = "// a\nint x = 1;  // b\nKERNEL(k) { }\n// c";
  const SourceItems source = items_of(code);
  ASSERT_EQ(source.items.size(), 2u);
  EXPECT_EQ(code.substr(source.items[0].begin,
                        source.items[0].end - source.items[0].begin),
            "int x = 1;");
  EXPECT_EQ(source.items[1].kind, SourceItem::Kind::kernel);
  EXPECT_EQ(source.items[1].tokens, "KERNEL ( k ) { } ");
  EXPECT_EQ(source.items[1].identifiers, (Names{"KERNEL", "k"}));
}

TEST(SourceItems, ANamespaceIsOneItemThatItsNameReaches) {
  const SourceItems source = items_of(
      "namespace left { int a; int f(int x) {\n#pragma unroll\nreturn x; } }\n"
      "namespace right { int b; }\nint c() { return left::f(1); }\n"
      "KERNEL(k) { using namespace right; c(); }\nKERNEL(other) { b; }");
  EXPECT_TRUE(source.understood);
  ASSERT_EQ(source.items.size(), 5U);
  EXPECT_EQ(source.items[0].names, (Names{"left"}));
  EXPECT_EQ(items_in_use(source.items, {"k"}),
            (std::vector<bool>{true, true, true, true, false}));
  EXPECT_EQ(items_in_use(source.items, {"other"}),
            (std::vector<bool>{false, false, false, false, true}));
}

TEST(SourceItems, SaysWhatItDoesNotUnderstand) {
  for (const char* code :
       {"#define X 1\n", "#if A\nint a;\n", "#if A\nKERNEL(k) {}\n#endif\n",
        "namespace { int x; }", "namespace a::b { int x; }", "namespace a = b;",
        "namespace a { KERNEL(k) {} }", "namespace a {\n#define X 1\n}",
        "inline A operator+(A a, A b) { return a; }", "int a, b;",
        "using namespace std;", "template <> int f<3>() { return 3; }",
        "void f() {", "int f() } ", "extern int x;", "typedef int y;"}) {
    EXPECT_FALSE(items_of(code).understood) << code;
  }
  EXPECT_TRUE(items_of("").understood);
}

TEST(SourceItems, RenamesIdentifiersAndNothingElse) {
  EXPECT_EQ(rename_identifiers("sum(a, \"a\", 'a', aa, x.a) // a\n/* a */ a",
                               {{"a", "b"}}),
            "sum(b, \"a\", 'a', aa, x.b) // a\n/* a */ b");
  EXPECT_EQ(rename_identifiers("0xa + a1 + 1a", {{"a", "b"}}), "0xa + a1 + 1a");
}

}  // namespace
}  // namespace evoke::parameters
