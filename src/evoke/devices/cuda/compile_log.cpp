#include "evoke/devices/cuda/compile_log.h"

#include <cctype>
#include <charconv>

#include "evoke/base/utf8.h"

namespace evoke::cuda {
namespace {

// The number before `what` in a line like "Used 24 registers, used 1
// barriers"; `otherwise` when there is none.
int64_t number_before(std::string_view line, std::string_view what,
                      int64_t otherwise) {
  const std::size_t found = line.find(what);
  if (found == line.npos) return otherwise;
  std::size_t begin = found;
  while (begin > 0 &&
         std::isdigit(static_cast<unsigned char>(line[begin - 1])) != 0) {
    --begin;
  }
  int64_t value = otherwise;
  std::from_chars(line.data() + begin, line.data() + found, value);
  return value;
}

// What stands between the first two quotes.
std::string quoted_name(std::string_view line) {
  const std::size_t begin = line.find('\'');
  if (begin == line.npos) return {};
  const std::size_t end = line.find('\'', begin + 1);
  if (end == line.npos) return {};
  return std::string(line.substr(begin + 1, end - begin - 1));
}

std::string_view trimmed(std::string_view line) {
  while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) {
    line.remove_suffix(1);
  }
  return line;
}

std::string_view way_out(std::string_view line) {
  if (line.find("C7508") != line.npos) {
    return "give the launch min_blocks = 1, and max_threads where threads "
           "depend on the shape";
  }
  if (line.find("C7510") != line.npos) {
    return "keep the accumulators of a wgmma in flight out of function calls, "
           "dynamic indices and other writes";
  }
  return {};
}

// "Compile time = 22.7 ms" says nothing about the kernel, nor do the lines
// that this file reads.
bool is_noise(std::string_view line) {
  return line.find("Compile time = ") != line.npos ||
         line.starts_with("Remark: The warnings can be suppressed");
}

}  // namespace

CompileLog read_compile_log(std::string_view log) {
  CompileLog result;
  AssemblerFacts* kernel = nullptr;
  AssemblerFacts nobody;
  while (!log.empty()) {
    const std::size_t end = std::min(log.find('\n'), log.size());
    const std::string_view line = trimmed(log.substr(0, end));
    log.remove_prefix(std::min(end + 1, log.size()));
    if (const auto hint = way_out(line); !hint.empty()) {
      result.fatal_warnings.append(to_valid_utf8(line))
          .append("; ")
          .append(hint)
          .append("\n");
      continue;
    }
    const bool assembler = line.starts_with("ptxas ");
    if (line.find("Compiling entry function") != line.npos) {
      kernel = &result.kernels[quoted_name(line)];
      continue;
    }
    if (line.find("Function properties for") != line.npos) continue;
    if (line.find("bytes stack frame") != line.npos) {
      AssemblerFacts& facts = kernel == nullptr ? nobody : *kernel;
      facts.stack_bytes = number_before(line, " bytes stack frame", 0);
      facts.spill_store_bytes = number_before(line, " bytes spill stores", 0);
      facts.spill_load_bytes = number_before(line, " bytes spill loads", 0);
      continue;
    }
    if (assembler && line.find(": Used ") != line.npos) {
      AssemblerFacts& facts = kernel == nullptr ? nobody : *kernel;
      facts.registers = number_before(line, " registers", 0);
      facts.barriers = number_before(line, " barriers", 0);
      facts.shared_bytes = number_before(line, " bytes smem", 0);
      continue;
    }
    if (is_noise(line) ||
        (assembler && line.find(" bytes gmem") != line.npos)) {
      continue;
    }
    if (line.empty() &&
        (result.diagnostics.empty() || result.diagnostics.ends_with("\n\n"))) {
      continue;
    }
    result.diagnostics.append(to_valid_utf8(line)).append("\n");
  }
  while (result.diagnostics.ends_with("\n\n")) result.diagnostics.pop_back();
  if (result.diagnostics == "\n") result.diagnostics.clear();
  return result;
}

}  // namespace evoke::cuda
