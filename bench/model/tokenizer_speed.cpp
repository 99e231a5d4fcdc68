// Our side of tokenizer_speed.py.
//
//   tokenizer_speed MODEL_FOLDER INPUTS.json
//
// INPUTS.json is {"name": ["text", ...]}. Says how long loading took; then,
// for each name that comes in on a line, encodes all of its texts and answers
// with nanoseconds, the number of tokens, and a hash of them.
#include <fmt/format.h>

#include <cstdint>
#include <cstdio>
#include <iostream>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "evoke/base/clock.h"
#include "evoke/base/fd.h"
#include "evoke/base/hash.h"
#include "evoke/base/json.h"
#include "evoke/model/tokenizer/tokenizer.h"

namespace evoke {
namespace {

using Inputs = std::map<std::string, std::vector<std::string>>;

std::string hash_of(const std::vector<int32_t>& ids) {
  return hash_hex(std::string_view(reinterpret_cast<const char*>(ids.data()),
                                   ids.size() * sizeof(int32_t)));
}

int run(const std::string& folder, const std::string& inputs_path) {
  const int64_t begin = monotonic_ns();
  const auto tokenizer = model::Tokenizer::load(folder);
  const int64_t load_ns = monotonic_ns() - begin;
  const auto text = read_file(inputs_path);
  if (!tokenizer || !text) {
    fmt::print(stderr, "{}\n",
               tokenizer ? text.error().message : tokenizer.error().message);
    return 1;
  }
  const Inputs inputs = Json::parse(*text).get<Inputs>();
  fmt::print("{}\n", load_ns);
  std::fflush(stdout);

  std::string name;
  while (std::getline(std::cin, name)) {
    const std::vector<std::string>& texts = inputs.at(name);
    std::vector<std::vector<int32_t>> encoded;
    encoded.reserve(texts.size());
    const int64_t start = monotonic_ns();
    for (const std::string& each : texts) {
      encoded.push_back(*tokenizer->encode(each));
    }
    const int64_t elapsed_ns = monotonic_ns() - start;
    std::vector<int32_t> all;
    for (const auto& ids : encoded)
      all.insert(all.end(), ids.begin(), ids.end());
    fmt::print("{} {} {}\n", elapsed_ns, all.size(), hash_of(all));
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace
}  // namespace evoke

int main(int argc, char** argv) {
  if (argc != 3) {
    fmt::print(stderr, "usage: tokenizer_speed MODEL_FOLDER INPUTS.json\n");
    return 2;
  }
  return evoke::run(argv[1], argv[2]);
}
