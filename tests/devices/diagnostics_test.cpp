#include "evoke/devices/diagnostics.h"

#include <gtest/gtest.h>

namespace evoke {
namespace {

TEST(Diagnostics, CutsFoldersAndIncludeChains) {
  EXPECT_EQ(
      clean_diagnostics("In file included from /usr/include/x.h:1,\n"
                        "                 from unit.cpp:3:\n"
                        "/tmp/scratch/evoke/prelude.h:12:3: error: no\n"
                        "k.cpp:4: note: see '/usr/lib/gcc/12/include/imm.h'\n"
                        "   12 |   x = a / b; // half/full\n"
                        "compilation terminated.\n"),
      "prelude.h:12:3: error: no\n"
      "k.cpp:4: note: see 'imm.h'\n"
      "   12 |   x = a / b; // half/full\n");
}

TEST(Diagnostics, IsBoundedAndValid) {
  std::string text;
  for (int i = 0; i < 100; ++i) text += "a line of text\n";
  const std::string cut = clean_diagnostics(text, 40);
  EXPECT_EQ(cut, "a line of text\na line of text\n...\n");
  EXPECT_EQ(clean_diagnostics("a\xff"
                              "b\n"),
            "a\xef\xbf\xbd"
            "b\n");
  EXPECT_EQ(clean_diagnostics(""), "");
}

}  // namespace
}  // namespace evoke
