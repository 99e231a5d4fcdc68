#include "evoke/devices/metal/host/line_table.h"

#include <elfutils/libdw.h>
#include <fcntl.h>

#include <algorithm>
#include <limits>

#include "evoke/base/fd.h"

namespace evoke::metal::host {

Result<LineTable> LineTable::read(const std::string& path,
                                  std::string_view label) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return failed("cannot read " + path);
  Dwarf* const dwarf = dwarf_begin(file.get(), DWARF_C_READ);
  if (dwarf == nullptr) return failed("no debug information in " + path);
  LineTable table;
  Dwarf_Off offset = 0;
  Dwarf_Off next = 0;
  std::size_t header_bytes = 0;
  while (dwarf_nextcu(dwarf, offset, &next, &header_bytes, nullptr, nullptr,
                      nullptr) == 0) {
    Dwarf_Die unit;
    Dwarf_Lines* lines = nullptr;
    std::size_t count = 0;
    if (dwarf_offdie(dwarf, offset + header_bytes, &unit) != nullptr &&
        dwarf_getsrclines(&unit, &lines, &count) == 0) {
      for (std::size_t i = 0; i < count; ++i) {
        Dwarf_Line* const row = dwarf_onesrcline(lines, i);
        Dwarf_Addr address = 0;
        int line = 0;
        if (dwarf_lineaddr(row, &address) != 0 ||
            address > std::numeric_limits<uint32_t>::max()) {
          continue;
        }
        dwarf_lineno(row, &line);
        const char* const source = dwarf_linesrc(row, nullptr, nullptr);
        const std::string_view name = source == nullptr ? "" : source;
        const bool ours =
            name == label || name.ends_with("/" + std::string(label));
        table.rows_.push_back(
            {static_cast<uint32_t>(address), ours ? line : 0});
      }
    }
    offset = next;
  }
  dwarf_end(dwarf);
  std::stable_sort(
      table.rows_.begin(), table.rows_.end(),
      [](const Row& a, const Row& b) { return a.offset < b.offset; });
  // Code without a line of ours belongs to the line before it.
  int latest = 0;
  for (Row& row : table.rows_) {
    if (row.line == 0) row.line = latest;
    latest = row.line;
  }
  return table;
}

int LineTable::line_of(uint32_t offset) const {
  const auto after = std::upper_bound(
      rows_.begin(), rows_.end(), offset,
      [](uint32_t value, const Row& row) { return value < row.offset; });
  return after == rows_.begin() ? 0 : std::prev(after)->line;
}

Json LineTable::to_json() const {
  Json json = Json::array();
  for (const Row& row : rows_) {
    json.push_back(row.offset);
    json.push_back(row.line);
  }
  return json;
}

Result<LineTable> LineTable::from_json(const Json& json) {
  LineTable table;
  if (!json.is_array() || json.size() % 2 != 0) {
    return failed("a line table is a list of pairs");
  }
  for (std::size_t i = 0; i < json.size(); i += 2) {
    if (!json[i].is_number_unsigned() || !json[i + 1].is_number_integer()) {
      return failed("a line table holds numbers");
    }
    table.rows_.push_back({json[i].get<uint32_t>(), json[i + 1].get<int>()});
  }
  return table;
}

}  // namespace evoke::metal::host
