#include "evoke/devices/cuda/sass.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <vector>

#include "evoke/base/subprocess.h"

namespace evoke::cuda {
namespace {

namespace fs = std::filesystem;

struct Kind {
  std::string_view opcode;  // the beginning of a mnemonic
  std::string_view name;
};
// The first that fits.
constexpr Kind kKinds[] = {{"HGMMA", "wgmma"},
                           {"QGMMA", "wgmma"},
                           {"IGMMA", "wgmma"},
                           {"BGMMA", "wgmma"},
                           {"WARPGROUP", "wgmma sync"},
                           {"HMMA", "mma"},
                           {"IMMA", "mma"},
                           {"QMMA", "mma"},
                           {"DMMA", "mma"},
                           {"LDSM", "matrix load"},
                           {"STSM", "matrix store"},
                           {"UTMALDG", "tensor copy"},
                           {"UTMASTG", "tensor store"},
                           {"UTMAREDG", "tensor store"},
                           {"UTMAPF", "tensor prefetch"},
                           {"UBLKCP", "bulk copy"},
                           {"UBLKPF", "bulk prefetch"},
                           {"UBLKRED", "bulk copy"},
                           {"LDGSTS", "async copy"},
                           {"LDGDEPBAR", "async copy sync"},
                           {"SYNCS", "mbarrier"},
                           {"BAR", "barrier"},
                           {"UCGABAR", "cluster barrier"},
                           {"LDL", "local load"},
                           {"STL", "local store"},
                           {"LDS", "shared load"},
                           {"STS", "shared store"},
                           {"ATOM", "atomic"},
                           {"RED", "atomic"},
                           {"MUFU.EX2", "exp2"},
                           {"MUFU", "special function"},
                           {"FFMA", "fma"},
                           {"FMUL", "float multiply"},
                           {"FADD", "float add"},
                           {"FMNMX", "float max"},
                           {"HFMA2.BF16", "bf16 fma"},
                           {"HFMA2", "half fma"},
                           {"HMUL2", "half multiply"},
                           {"HADD2", "half add"},
                           {"F2FP", "float pack"},
                           {"F2F", "conversion"},
                           {"I2F", "conversion"},
                           {"F2I", "conversion"},
                           {"SHFL", "shuffle"},
                           {"VOTE", "vote"},
                           {"IMAD", "integer"},
                           {"IADD", "integer"},
                           {"UIADD", "integer"},
                           {"UIMAD", "integer"},
                           {"LEA", "integer"},
                           {"ULEA", "integer"},
                           {"LOP3", "integer"},
                           {"ULOP3", "integer"},
                           {"SHF", "integer"},
                           {"USHF", "integer"},
                           {"PRMT", "integer"},
                           {"ISETP", "compare"},
                           {"UISETP", "compare"},
                           {"FSETP", "compare"},
                           {"PLOP3", "compare"},
                           {"UPLOP3", "compare"},
                           {"SEL", "select"},
                           {"FSEL", "select"},
                           {"USEL", "select"},
                           {"MOV", "move"},
                           {"UMOV", "move"},
                           {"CS2R", "move"},
                           {"R2UR", "move"},
                           {"LDC", "constant load"},
                           {"ULDC", "constant load"},
                           {"BRA", "branch"},
                           {"BSSY", "branch"},
                           {"BSYNC", "branch"},
                           {"EXIT", "branch"},
                           {"CALL", "call"},
                           {"RET", "call"},
                           {"USETMAXREG", "register redistribution"}};

std::string kind_of(std::string_view opcode) {
  for (const std::string_view memory : {"LDG", "STG"}) {
    if (!opcode.starts_with(memory) || opcode.starts_with("LDGSTS") ||
        opcode.starts_with("LDGDEPBAR")) {
      continue;
    }
    std::string name = memory == "LDG" ? "global load " : "global store ";
    const auto has = [&](std::string_view part) {
      return opcode.find(part) != opcode.npos;
    };
    if (has(".128")) return name + "128";
    if (has(".64")) return name + "64";
    if (has(".U16") || has(".S16")) return name + "16";
    if (has(".U8") || has(".S8")) return name + "8";
    return name + "32";
  }
  for (const Kind& kind : kKinds) {
    if (opcode.starts_with(kind.opcode)) return std::string(kind.name);
  }
  return "other";
}

// What follows "/*0120*/" on a line, without a guard: "LDG.E.128 R4, ...".
std::string_view instruction_of(std::string_view line) {
  const std::size_t open = line.find("/*");
  const std::size_t close = line.find("*/");
  if (open == line.npos || close == line.npos || close < open + 3) return {};
  const std::string_view address = line.substr(open + 2, close - open - 2);
  const bool hexadecimal = std::all_of(
      address.begin(), address.end(),
      [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
  if (!hexadecimal) return {};
  std::string_view rest = line.substr(close + 2);
  const auto skip_blanks = [&] {
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t{"), rest.size()));
  };
  skip_blanks();
  if (rest.starts_with("@")) {
    rest.remove_prefix(std::min(rest.find_first_of(" \t"), rest.size()));
    skip_blanks();
  }
  // cuobjdump's second lines hold nothing but the encoding.
  return rest.starts_with("/*") ? std::string_view() : rest;
}

// ".text.NAME" of nvdisasm, "Function : NAME" of cuobjdump.
std::string_view kernel_of(std::string_view line) {
  constexpr std::string_view kFunction = "Function : ";
  if (const std::size_t at = line.find(kFunction); at != line.npos) {
    return line.substr(at + kFunction.size());
  }
  constexpr std::string_view kSection = "\t.section\t.text.";
  if (line.starts_with(kSection)) {
    std::string_view name = line.substr(kSection.size());
    return name.substr(0, name.find_first_of(",\t "));
  }
  return {};
}

std::string variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

std::map<std::string, SassFacts> read_sass(std::string_view text) {
  std::map<std::string, SassFacts> kernels;
  SassFacts* current = nullptr;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (const auto name = kernel_of(line); !name.empty()) {
      current = &kernels[std::string(name)];
      continue;
    }
    const std::string_view instruction = instruction_of(line);
    if (current == nullptr || instruction.empty()) continue;
    const std::string_view opcode =
        instruction.substr(0, instruction.find_first_of(" \t;"));
    if (opcode == "NOP") continue;
    if (instruction.find("SR_CLOCK") != instruction.npos ||
        instruction.find("SR_GLOBALTIMER") != instruction.npos ||
        instruction.find("SR_PM") != instruction.npos) {
      current->tells_time = true;
    }
    if (opcode == "ACQBULK") current->waits = true;
    ++current->mix[kind_of(opcode)];
  }
  return kernels;
}

std::string find_disassembler(const std::string& nvrtc_path) {
  std::vector<fs::path> folders;
  if (const std::string named = variable("EVOKE_CUDA_BIN"); !named.empty()) {
    folders.emplace_back(named);
  }
  for (const char* name : {"CUDA_HOME", "CUDA_PATH"}) {
    if (const std::string root = variable(name); !root.empty()) {
      folders.push_back(fs::path(root) / "bin");
    }
  }
  fs::path root = fs::path(nvrtc_path).parent_path();
  for (int level = 0; level < 3 && root.has_relative_path(); ++level) {
    folders.push_back(root / "bin");
    folders.push_back(root / "cu13" / "bin");
    root = root.parent_path();
  }
  for (const char* folder :
       {"/usr/local/cuda/bin", "/usr/local/bin", "/usr/bin", "/opt/cuda/bin"}) {
    folders.emplace_back(folder);
  }
  for (const char* program : {"nvdisasm", "cuobjdump"}) {
    for (const fs::path& folder : folders) {
      const std::string path = (folder / program).string();
      if (::access(path.c_str(), X_OK) == 0) return path;
    }
  }
  return {};
}

Result<std::string> disassemble(const std::string& program,
                                const std::string& cubin_path,
                                int64_t time_limit_ms) {
  SubprocessOptions options;
  const bool nvdisasm = program.ends_with("nvdisasm");
  options.arguments = {program, nvdisasm ? "-c" : "-sass", cubin_path};
  options.environment = {"LC_ALL=C"};
  options.output_tail_bytes = std::size_t{16} << 20;
  auto process = Subprocess::start(options);
  if (!process) return error_of(process);
  const auto status = process->wait(time_limit_ms);
  if (!status) {
    process->kill();
    return timed_out(program + " took too long");
  }
  if (!status->ok()) return failed(program + ": " + process->output());
  return process->output();
}

}  // namespace evoke::cuda
