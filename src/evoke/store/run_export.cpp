#include "evoke/store/run_export.h"

#include "evoke/store/schema.h"
#include "evoke/store/step_json.h"

namespace evoke {

Result<void> export_run(const RunStore& store, std::ostream& out) {
  const auto facts = store.facts();
  if (!facts) return error_of(facts);
  out << dump_json({{"format", "evoke run"},
                    {"version", kSchemaVersion},
                    {"facts", *facts},
                    {"config", to_toml(store.config())}})
      << '\n';
  auto done = store.each_step([&](Step&& step) {
    out << dump_json(to_json(step)) << '\n';
    return out.good();
  });
  if (!done) return done;
  out.flush();
  if (!out.good()) return failed("export: cannot write; is the disk full?");
  return {};
}

}  // namespace evoke
