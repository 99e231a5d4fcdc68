// Unicode normalization form C, by utf8proc, as Hugging Face's tokenizers
// compute it: their tables are of an older version of Unicode
// (unicode_differences.h).
#pragma once

#include <string>
#include <string_view>

namespace evoke::model {

// `text` (valid UTF-8) in form C: a view of `text` itself where it already is
// (the usual case, found without a copy), of `storage` otherwise.
std::string_view to_nfc(std::string_view text, std::string& storage);

}  // namespace evoke::model
