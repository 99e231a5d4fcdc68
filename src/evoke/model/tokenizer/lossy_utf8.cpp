#include "evoke/model/tokenizer/lossy_utf8.h"

namespace evoke::model {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";

}  // namespace

void LossyUtf8::begin(unsigned char byte, std::string& text) {
  low_ = 0x80;
  high_ = 0xbf;
  if (byte < 0x80) {
    text.push_back(static_cast<char>(byte));
    return;
  }
  if (byte >= 0xc2 && byte <= 0xdf) {
    missing_ = 1;
  } else if (byte >= 0xe0 && byte <= 0xef) {
    missing_ = 2;
    if (byte == 0xe0) low_ = 0xa0;   // else overlong
    if (byte == 0xed) high_ = 0x9f;  // else a surrogate
  } else if (byte >= 0xf0 && byte <= 0xf4) {
    missing_ = 3;
    if (byte == 0xf0) low_ = 0x90;   // else overlong
    if (byte == 0xf4) high_ = 0x8f;  // else above U+10FFFF
  } else {
    text.append(kReplacement);
    return;
  }
  held_[0] = static_cast<char>(byte);
  held_bytes_ = 1;
}

void LossyUtf8::add(std::string_view bytes, std::string& text) {
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (missing_ > 0 && !(byte >= low_ && byte <= high_)) finish(text);
    if (missing_ == 0) {
      begin(byte, text);
      continue;
    }
    held_[held_bytes_++] = c;
    low_ = 0x80;
    high_ = 0xbf;
    if (--missing_ > 0) continue;
    text.append(held_.data(), held_bytes_);
    held_bytes_ = 0;
  }
}

void LossyUtf8::finish(std::string& text) {
  if (missing_ > 0) text.append(kReplacement);
  missing_ = 0;
  held_bytes_ = 0;
}

}  // namespace evoke::model
