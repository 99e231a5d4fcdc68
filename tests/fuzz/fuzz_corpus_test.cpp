// The kept corpus, and mutations of it, through the fuzzers' entry points
// under the ordinary build. The mutations are the same on every run.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "evoke/base/fd.h"
#include "evoke/base/rng.h"
#include "tests/fuzz/entries.h"

namespace evoke {
namespace {

namespace fs = std::filesystem;
using Entry = std::function<std::string(std::string_view)>;

std::vector<std::string> corpus(const std::string& name) {
  std::vector<fs::path> paths;
  for (const auto& entry :
       fs::directory_iterator(fs::path(EVOKE_FUZZ_CORPUS) / name)) {
    paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());  // the same order everywhere
  std::vector<std::string> texts;
  for (const fs::path& path : paths) {
    const auto text = read_file(path.string());
    EXPECT_TRUE(text) << path;
    texts.push_back(text.value_or(""));
  }
  return texts;
}

std::string mutated(std::string text, const std::vector<std::string>& texts,
                    const std::vector<std::string>& words, Rng& rng) {
  for (uint64_t n = 1 + rng.below(4); n > 0; --n) {
    const std::size_t at = rng.below(text.size() + 1);
    const std::size_t length =
        rng.below(std::min<std::size_t>(text.size() - at, 40) + 1);
    switch (rng.below(6)) {
      case 0:
        text.erase(at, length);
        break;
      case 1:
        text.insert(at, rng.pick(words));
        break;
      case 2:
        if (at < text.size()) text[at] = static_cast<char>(rng.next());
        break;
      case 3:
        text.insert(rng.below(text.size() + 1), text.substr(at, length));
        break;
      case 4:
        text.replace(at, length, rng.pick(words));
        break;
      default: {  // the head of one and the tail of another
        const std::string& other = rng.pick(texts);
        text = text.substr(0, at) + other.substr(rng.below(other.size() + 1));
      }
    }
  }
  return text;
}

void run(const std::string& name, const Entry& entry, int mutations,
         const std::vector<std::string>& words) {
  const auto texts = corpus(name);
  ASSERT_GE(texts.size(), 10U);
  for (const std::string& text : texts) EXPECT_EQ(entry(text), "") << text;
  Rng rng(1);
  for (int i = 0; i < mutations; ++i) {
    const std::string text = mutated(rng.pick(texts), texts, words, rng);
    ASSERT_EQ(entry(text), "") << text;
  }
}

TEST(FuzzCorpus, KernelSource) {
  run("kernel_source", check_kernel_source, 3000,
      {"/*evoke",
       "evoke*/",
       "*/",
       "[[variant]]",
       "[variant]",
       "[derive]",
       "[[variant.launch]]",
       "\"\"\"",
       "'''",
       "EVOLVE-BLOCK-START\n",
       "EVOLVE-BLOCK-END\n",
       "{ value = 1, choices = [1, 2] }",
       "= [1]",
       "\n",
       "\\",
       "\"",
       "9223372036854775807",
       "Lk == 1",
       "a.b.c = 1",
       "\xff",
       "\xe2\x80\xae",
       "#include <",
       "[[",
       "?\?=",
       "\r"});
}

TEST(FuzzCorpus, Tokenizer) {
  run("tokenizer", check_tokenizer, 2000,
      {"\"@bytes\"",
       "\n---\n",
       "\"merges\":",
       "[\"a\",\"b\"]",
       "\"ab\":256",
       "\"ab\":-1",
       "null",
       "true",
       "{",
       "}",
       "[",
       "]",
       "\\",
       "\"",
       ",",
       "\\p{L}",
       "\\\\s+",
       "(?!\\\\S)",
       "{1,3}",
       "(?i:'s)",
       "\"special\":true",
       "e\u0301",
       "\"lstrip\":true",
       "\"normalized\":true",
       "\xff",
       "\xf0\x9f",
       "\u2028"});
}

TEST(FuzzCorpus, Expression) {
  run("expression", check_expression, 20'000,
      {"(", ")", "?", ":", "&&", "||", "==", "-", "!", "min(", "align_up(",
       "9223372036854775807", "Lk", "most", "least", "zero", ",", " % ", "0"});
}

TEST(FuzzCorpus, LlmAnswer) {
  run("llm_answer", check_answer, 3000,
      {"<<<<<<< SEARCH\n",
       "=======\n",
       ">>>>>>> REPLACE\n",
       "```\n",
       "```cpp\n",
       "~~~\n",
       "/*evoke\n",
       "evoke*/\n",
       "IDEA: ",
       "STRATEGY: ",
       "// EVOLVE-BLOCK-START\n",
       "// EVOLVE-BLOCK-END\n",
       "  float total = row.sum;\n",
       "  float sum = 0;\n",
       "width = 8\n",
       "problem = \"attention\"\n",
       "\n",
       "\r\n",
       "\r",
       "\t",
       "  ",
       ", ;",
       "\xff",
       "\xe2\x80\xae"});
}

}  // namespace
}  // namespace evoke
