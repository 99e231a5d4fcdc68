// Our side of tokenizer_speed.py.
//
//   tokenizer_speed MODEL_FOLDER INPUTS.json
//
// INPUTS.json is {"name": ["text", ...]}. Answers lines on standard input:
//   load NAME      loads the folder once more: nanoseconds, tokens known
//   encode NAME    encodes all texts of that name: nanoseconds, tokens
//   decode NAME    decodes what was encoded last: nanoseconds, bytes
//   stream NAME    likewise, token by token
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
#include "evoke/base/json.h"
#include "evoke/model/tokenizer/streaming_decoder.h"
#include "evoke/model/tokenizer/tokenizer.h"

namespace evoke {
namespace {

using Inputs = std::map<std::string, std::vector<std::string>>;
using Ids = std::vector<int32_t>;

std::size_t load(const std::string& folder) {
  return static_cast<std::size_t>(
      model::Tokenizer::load(folder)->vocabulary_size());
}

std::size_t encode(const model::Tokenizer& tokenizer,
                   const std::vector<std::string>& texts,
                   std::vector<Ids>& encoded) {
  encoded.clear();
  std::size_t tokens = 0;
  for (const std::string& text : texts) {
    encoded.push_back(*tokenizer.encode(text));
    tokens += encoded.back().size();
  }
  return tokens;
}

std::size_t decode(const model::Tokenizer& tokenizer,
                   const std::vector<Ids>& encoded) {
  std::size_t bytes = 0;
  for (const Ids& ids : encoded) bytes += tokenizer.decode(ids, false).size();
  return bytes;
}

std::size_t stream(const model::Tokenizer& tokenizer,
                   const std::vector<Ids>& encoded) {
  std::size_t bytes = 0;
  for (const Ids& ids : encoded) {
    model::StreamingDecoder decoder(tokenizer, false);
    for (const int32_t id : ids) bytes += decoder.add(id).size();
    bytes += decoder.finish().size();
  }
  return bytes;
}

int run(const std::string& folder, const std::string& inputs_path) {
  const auto tokenizer = model::Tokenizer::load(folder);
  const auto text = read_file(inputs_path);
  if (!tokenizer || !text) {
    fmt::print(stderr, "{}\n",
               tokenizer ? text.error().message : tokenizer.error().message);
    return 1;
  }
  const Inputs inputs = Json::parse(*text).get<Inputs>();
  std::vector<Ids> encoded;
  std::string command;
  std::string name;
  while (std::cin >> command && std::getline(std::cin >> std::ws, name)) {
    const std::vector<std::string>& texts = inputs.at(name);
    const int64_t start = monotonic_ns();
    const std::size_t size =
        command == "load"     ? load(folder)
        : command == "encode" ? encode(*tokenizer, texts, encoded)
        : command == "decode" ? decode(*tokenizer, encoded)
                              : stream(*tokenizer, encoded);
    fmt::print("{} {}\n", monotonic_ns() - start, size);
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
