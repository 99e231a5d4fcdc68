#include "evoke/devices/cpu/assembly_check.h"

#include <cxxabi.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>

namespace evoke::cpu {
namespace {

struct Refused {
  std::string_view mnemonic;  // one that ends in '*' is a prefix
  std::string_view reason;
};

constexpr std::string_view kTime = "kernels may not tell the time";
constexpr std::string_view kChance =
    "results must not depend on chance or on the processor";
constexpr std::string_view kSystem = "kernels may not call the system";
constexpr std::string_view kState =
    "it changes or reads state that outlives the call";
constexpr std::string_view kFlush = "kernels may not flush caches";

#if defined(__aarch64__)
constexpr Refused kRefused[] = {
    {"mrs", kTime},   {"msr", kState}, {"svc", kSystem}, {"hvc", kSystem},
    {"smc", kSystem}, {"sys", kFlush}, {"dc", kFlush},   {"ic", kFlush}};
#else
constexpr Refused kRefused[] = {
    {"rdtsc*", kTime},     {"rdpmc*", kTime},     {"rdpru", kTime},
    {"umonitor", kTime},   {"umwait", kTime},     {"tpause", kTime},
    {"monitor*", kTime},   {"mwait*", kTime},     {"xbegin", kTime},
    {"xend", kTime},       {"xabort", kTime},     {"xtest", kTime},
    {"rdrand*", kChance},  {"rdseed*", kChance},  {"rdpid*", kChance},
    {"cpuid", kChance},    {"sgdt*", kChance},    {"sidt*", kChance},
    {"sldt*", kChance},    {"str", kChance},      {"smsw*", kChance},
    {"syscall", kSystem},  {"sysenter", kSystem}, {"sysexit*", kSystem},
    {"sysret*", kSystem},  {"int", kSystem},      {"int1", kSystem},
    {"int3", kSystem},     {"into", kSystem},     {"iret*", kSystem},
    {"hlt", kSystem},      {"cli", kSystem},      {"sti", kSystem},
    {"in", kSystem},       {"inb", kSystem},      {"inw", kSystem},
    {"inl", kSystem},      {"insb", kSystem},     {"insw", kSystem},
    {"insl", kSystem},     {"out", kSystem},      {"outb", kSystem},
    {"outw", kSystem},     {"outl", kSystem},     {"outsb", kSystem},
    {"outsw", kSystem},    {"outsl", kSystem},    {"vmcall", kSystem},
    {"vmmcall", kSystem},  {"vmfunc", kSystem},   {"enqcmd*", kSystem},
    {"senduipi", kSystem}, {"ptwrite*", kSystem}, {"ldmxcsr", kState},
    {"vldmxcsr", kState},  {"fldcw", kState},     {"fldenv", kState},
    {"frstor", kState},    {"fxrstor*", kState},  {"xrstor*", kState},
    {"xsave*", kState},    {"fxsave*", kState},   {"xsetbv", kState},
    {"wrfsbase*", kState}, {"wrgsbase*", kState}, {"rdfsbase*", kState},
    {"rdgsbase*", kState}, {"wrpkru", kState},    {"rdpkru", kState},
    {"clflush*", kFlush},  {"clwb", kFlush},      {"cldemote", kFlush},
    {"invd", kFlush},      {"wbinvd", kFlush},    {"wbnoinvd", kFlush},
    {"clzero", kFlush}};
#endif

// Directives that put bytes where instructions belong.
constexpr std::array<std::string_view, 19> kData{
    ".byte",   ".2byte",  ".4byte", ".8byte", ".short", ".hword", ".value",
    ".word",   ".long",   ".int",   ".quad",  ".octa",  ".ascii", ".asciz",
    ".string", ".incbin", ".inst",  ".float", ".double"};

constexpr std::array<std::string_view, 10> kPrefixes{
    "rep",  "repe",    "repz", "repne",  "repnz",
    "lock", "notrack", "bnd",  "data16", "xacquire"};

bool matches(std::string_view word, std::string_view pattern) {
  if (!pattern.ends_with('*')) return word == pattern;
  return word.starts_with(pattern.substr(0, pattern.size() - 1));
}

template <typename List>
bool holds(const List& list, std::string_view word) {
  return std::find(std::begin(list), std::end(list), word) != std::end(list);
}

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r");
  if (begin == text.npos) return {};
  const std::size_t end = text.find_last_not_of(" \t\r");
  return text.substr(begin, end - begin + 1);
}

// The first word, which is removed from `text`.
std::string_view take_word(std::string_view& text) {
  text = trimmed(text);
  const std::size_t end = std::min(text.find_first_of(" \t"), text.size());
  const std::string_view word = text.substr(0, end);
  text = trimmed(text.substr(end));
  return word;
}

// "evoke_body_decode(...)" as "decode".
std::string plain_name(std::string_view symbol) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> demangled(
      abi::__cxa_demangle(std::string(symbol).c_str(), nullptr, nullptr,
                          &status),
      &std::free);
  std::string name = demangled ? demangled.get() : std::string(symbol);
  for (const std::string_view noise :
       {"evoke_kernel::", "(anonymous namespace)::", "evoke_body_",
        "evoke_run_"}) {
    const std::size_t at = name.find(noise);
    if (at != name.npos) name.erase(at, noise.size());
  }
  name = name.substr(0, name.find('('));
  return name.empty() ? std::string(symbol) : name;
}

class AssemblyCheck {
 public:
  explicit AssemblyCheck(std::string_view text) : text_(text) {}

  Result<AssemblyFacts> run() {
    while (!text_.empty() && error_.empty()) {
      const std::size_t end = std::min(text_.find('\n'), text_.size());
      check_line(text_.substr(0, end));
      text_.remove_prefix(std::min(end + 1, text_.size()));
    }
    if (!error_.empty()) return failed(error_);
    return std::move(facts_);
  }

 private:
  void refuse(std::string_view what, std::string_view reason) {
    if (!error_.empty()) return;
    error_ = fmt::format("'{}' in {} is refused: {}", what,
                         plain_name(function_), reason);
  }

  void check_line(std::string_view line) {
    // Quoted text holds no code; only the prelude's own assembly has ';'.
    if (line.find('"') != line.npos) return check_statement(trimmed(line));
    line = line.substr(0, line.find('#'));
    while (!line.empty()) {
      const std::size_t end = std::min(line.find(';'), line.size());
      check_statement(trimmed(line.substr(0, end)));
      line.remove_prefix(std::min(end + 1, line.size()));
    }
  }

  void check_statement(std::string_view statement) {
    std::string_view rest = statement;
    std::string_view word = take_word(rest);
    while (word.ends_with(':')) {
      word.remove_suffix(1);
      if (!word.starts_with(".L") && !word.starts_with("L")) function_ = word;
      word = take_word(rest);
    }
    if (word.empty()) return;
    if (word.starts_with('.')) return check_directive(word, rest);
    // "name = value"
    if (rest.starts_with('=')) return;
    while (holds(kPrefixes, word)) word = take_word(rest);
    check_instruction(word, rest);
  }

  void check_directive(std::string_view word, std::string_view rest) {
    if (word == ".text") {
      in_code_ = true;
    } else if (word == ".data" || word == ".bss" || word == ".rodata") {
      in_code_ = false;
    } else if (word == ".section" || word == ".pushsection") {
      in_code_ = rest.starts_with(".text") || rest.starts_with("__TEXT,__text");
    } else if (word == ".previous" || word == ".popsection") {
      in_code_ = true;  // at worst, data after it is refused
    } else if (word == ".incbin" || (in_code_ && holds(kData, word))) {
      refuse(word, "data in place of instructions");
    }
  }

  void check_instruction(std::string_view word, std::string_view operands) {
    ++facts_.instructions;
    for (const Refused& refused : kRefused) {
      if (matches(word, refused.mnemonic)) return refuse(word, refused.reason);
    }
    if (operands.find("%fs") != operands.npos ||
        operands.find("%gs") != operands.npos) {
      refuse(fmt::format("{} {}", word, operands),
             "kernels have no thread-local storage");
    }
    note_isa(word, operands);
  }

  void note_isa(std::string_view word, std::string_view operands) {
    if (operands.find("%tmm") != operands.npos) facts_.isa.insert("amx_bf16");
    if (word == "vdpbf16ps" || word.starts_with("vcvtne")) {
      facts_.isa.insert("avx512_bf16");
    }
    if (operands.find("%zmm") != operands.npos ||
        operands.find("%k") != operands.npos) {
      facts_.isa.insert("avx512");
    }
    if (word.starts_with("vfm") || word.starts_with("vfnm")) {
      facts_.isa.insert("fma");
    }
    if (operands.find("%ymm") != operands.npos) facts_.isa.insert("avx2");
  }

  std::string_view text_;
  std::string_view function_ = "the kernel";
  bool in_code_ = false;
  AssemblyFacts facts_;
  std::string error_;
};

}  // namespace

Result<AssemblyFacts> check_assembly(std::string_view assembly) {
  return AssemblyCheck(assembly).run();
}

}  // namespace evoke::cpu
