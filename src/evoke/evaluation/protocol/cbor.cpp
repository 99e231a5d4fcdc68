#include "evoke/evaluation/protocol/cbor.h"

#include <cstdint>
#include <string>

namespace evoke::protocol {
namespace {

// Walks over the items without recursion and without building anything, so
// that the decoder behind it only ever sees bytes of a known shape.
class CborScanner {
 public:
  explicit CborScanner(std::span<const std::byte> bytes) : bytes_(bytes) {}

  Result<void> scan() {
    // Items still expected at each level; maps count keys and values.
    std::vector<uint64_t> open{1};
    while (!open.empty()) {
      if (open.back() == 0) {
        open.pop_back();
        continue;
      }
      --open.back();
      uint64_t children = 0;
      if (auto item = scan_item(children); !item) return item;
      if (children == 0) continue;
      if (open.size() > kMaxCborDepth) return fail("nested too deeply");
      open.push_back(children);
    }
    if (at_ != bytes_.size()) return fail("bytes after the end");
    return {};
  }

 private:
  tl::unexpected<Error> fail(const std::string& what) const {
    return failed("message, byte " + std::to_string(at_) + ": " + what);
  }
  uint64_t left() const { return bytes_.size() - at_; }

  Result<void> scan_item(uint64_t& children) {
    if (left() == 0) return fail("ends too early");
    const auto head = std::to_integer<uint8_t>(bytes_[at_]);
    const int major = head >> 5;
    const int minor = head & 31;
    if (minor >= 28) return fail("a form that is not used here");
    ++at_;
    uint64_t value = static_cast<uint64_t>(minor);
    if (minor >= 24) {
      const uint64_t size = uint64_t{1} << (minor - 24);
      if (left() < size) return fail("ends too early");
      value = 0;
      for (uint64_t i = 0; i < size; ++i) {
        value = value << 8 | std::to_integer<uint64_t>(bytes_[at_++]);
      }
    }
    switch (major) {
      case 0:  // integers
        return {};
      case 1:
        if (value > INT64_MAX) return fail("an integer below 64 bits");
        return {};
      case 2:  // bytes and text
      case 3:
        if (value > left()) return fail("a string longer than the message");
        at_ += value;
        return {};
      case 4:
        if (value > left()) return fail("an array longer than the message");
        children = value;
        return {};
      case 5:
        return scan_map(value, children);
      case 7:
        if (minor < 20 || minor == 23 || minor == 24) {
          return fail("an unknown simple value");
        }
        return {};
      default:
        return fail("a tag");
    }
  }

  Result<void> scan_map(uint64_t size, uint64_t& children) {
    if (size > left() / 2) return fail("a map longer than the message");
    children = 2 * size;
    return {};
  }

  std::span<const std::byte> bytes_;
  std::size_t at_ = 0;
};

}  // namespace

std::vector<std::byte> encode_cbor(const Json& json) {
  const std::vector<uint8_t> bytes = Json::to_cbor(json);
  const auto* data = reinterpret_cast<const std::byte*>(bytes.data());
  return {data, data + bytes.size()};
}

Result<Json> decode_cbor(std::span<const std::byte> bytes) {
  if (const auto scanned = CborScanner(bytes).scan(); !scanned) {
    return error_of(scanned);
  }
  const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
  // Keys that are not text are what is left to refuse here.
  try {
    Json json = Json::from_cbor(data, data + bytes.size(), /*strict=*/true,
                                /*allow_exceptions=*/false);
    if (json.is_discarded()) return failed("message: not the CBOR of JSON");
    return json;
  } catch (const Json::exception& error) {
    return failed(std::string("message: ") + error.what());
  }
}

}  // namespace evoke::protocol
