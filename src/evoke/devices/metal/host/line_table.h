// Which line of the kernel file each piece of an object's code came from.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "evoke/base/error.h"
#include "evoke/base/json.h"

namespace evoke::metal::host {

class LineTable {
 public:
  LineTable() = default;
  // Of a file with debug information; lines of other files than `label` are
  // left out.
  static Result<LineTable> read(const std::string& path,
                                std::string_view label);
  static Result<LineTable> from_json(const Json& json);
  Json to_json() const;

  // 0: not known. `offset`: from the start of the object as loaded.
  int line_of(uint32_t offset) const;
  bool empty() const { return rows_.empty(); }

 private:
  struct Row {
    uint32_t offset = 0;  // up to the next row's
    int line = 0;
  };
  std::vector<Row> rows_;  // by offset
};

}  // namespace evoke::metal::host
