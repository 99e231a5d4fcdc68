#include "evoke/cli/shape_option.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <string_view>

#include "evoke/attention/shape.h"
#include "evoke/attention/workload.h"
#include "evoke/base/spelling.h"
#include "evoke/cli/commands.h"

namespace evoke::cli {
namespace {

using attention::AttentionShape;

[[noreturn]] void refuse(const std::string& asked, const std::string& why) {
  throw UsageError("--shape '" + asked + "': " + why);
}

Shape parse_letters(const std::string& asked) {
  static const std::map<std::string_view, int64_t AttentionShape::*> kLetters =
      {{"B", &AttentionShape::B},     {"Hq", &AttentionShape::Hq},
       {"Hkv", &AttentionShape::Hkv}, {"Lq", &AttentionShape::Lq},
       {"Lk", &AttentionShape::Lk},   {"D", &AttentionShape::D}};
  AttentionShape shape;
  std::optional<bool> causal;
  std::string_view left = asked;
  while (!left.empty()) {
    const std::string_view part = left.substr(0, left.find(','));
    left.remove_prefix(std::min(part.size() + 1, left.size()));
    const std::size_t equals = std::min(part.find('='), part.size());
    const std::string_view letter = part.substr(0, equals);
    const std::string_view text =
        part.substr(std::min(equals + 1, part.size()));
    int64_t value = 0;
    const auto [end, error] =
        std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) {
      refuse(asked, fmt::format("'{}' is no LETTER=NUMBER", part));
    }
    if (letter == "causal" && (value == 0 || value == 1)) {
      causal = value == 1;
    } else if (letter == "causal") {
      refuse(asked, "causal is 0 or 1");
    } else if (const auto known = kLetters.find(letter);
               known != kLetters.end()) {
      shape.*(known->second) = value;
    } else {
      refuse(asked,
             fmt::format("no letter '{}'; there are B, Hq, Hkv, Lq, Lk, D and "
                         "causal",
                         letter));
    }
  }
  shape.causal = causal.value_or(shape.Lq > 1);
  if (const auto checked = attention::check(shape); !checked) {
    refuse(asked, checked.error().message);
  }
  return attention::to_shape(shape);
}

const WorkloadShape* find(const Workload& workload, const std::string& name) {
  const auto found = std::find_if(
      workload.shapes.begin(), workload.shapes.end(),
      [&](const WorkloadShape& each) { return each.shape.name == name; });
  return found == workload.shapes.end() ? nullptr : &*found;
}

WorkloadShape named_shape(const Workload& workload, const std::string& name) {
  if (const WorkloadShape* shape = find(workload, name)) return *shape;
  for (const std::string& other : attention::workload_names()) {
    const Workload built_in = value_or_throw(attention::find_workload(other));
    if (const WorkloadShape* shape = find(built_in, name)) return *shape;
  }
  std::vector<std::string> names;
  for (const WorkloadShape& each : workload.shapes) {
    names.push_back(each.shape.name);
  }
  refuse(name,
         fmt::format("no shape is called so{}; workload {} has {}; or give "
                     "letters, as in Lk=4096,B=8",
                     did_you_mean(name, names), workload.name,
                     fmt::join(names, ", ")));
}

}  // namespace

Workload choose_shapes(const Workload& workload,
                       const std::vector<std::string>& asked) {
  if (asked.empty()) return workload;
  Workload chosen{fmt::format("{}", fmt::join(asked, " ")), {}};
  for (const std::string& each : asked) {
    WorkloadShape shape = each.find('=') != each.npos
                              ? WorkloadShape{parse_letters(each), 1.0}
                              : named_shape(workload, each);
    if (find(chosen, shape.shape.name) == nullptr) {
      chosen.shapes.push_back(std::move(shape));
    }
  }
  return chosen;
}

}  // namespace evoke::cli
