#include "evoke/devices/cuda/cubin.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <utility>

#include "evoke/base/hash.h"

namespace evoke::cuda {
namespace {

// The parts of ELF that cubins use, spelled out: <elf.h> is not everywhere.
struct ElfHeader {
  unsigned char ident[16];
  uint16_t type, machine;
  uint32_t version;
  uint64_t entry, program_offset, section_offset;
  uint32_t flags;
  uint16_t header_bytes, program_bytes, num_programs;
  uint16_t section_bytes, num_sections, names_index;
};
struct ElfSection {
  uint32_t name, type;
  uint64_t flags, address, offset, bytes;
  uint32_t link, info;
  uint64_t alignment, entry_bytes;
};
struct ElfSymbol {
  uint32_t name;
  unsigned char info, other;
  uint16_t section;
  uint64_t value, bytes;
};
static_assert(sizeof(ElfHeader) == 64 && sizeof(ElfSection) == 64 &&
              sizeof(ElfSymbol) == 24);

constexpr uint16_t kMachineCuda = 190;
constexpr uint32_t kSymbolTable = 2;
constexpr unsigned char kObjectSymbol = 1;
constexpr unsigned char kSizedValue = 4;
constexpr unsigned char kRegisterCount = 0x2f;
constexpr std::size_t kMaxSymbols = 100'000;

class CubinReader {
 public:
  explicit CubinReader(std::span<const std::byte> cubin) : cubin_(cubin) {}

  Result<CubinFacts> run() {
    header_ = read<ElfHeader>(0);
    const bool cuda = error_.empty() &&
                      std::memcmp(header_.ident,
                                  "\x7f"
                                  "ELF",
                                  4) == 0 &&
                      header_.ident[4] == 2 && header_.ident[5] == 1 &&
                      header_.machine == kMachineCuda &&
                      header_.section_bytes == sizeof(ElfSection);
    if (!cuda) return failed("not a cubin");
    for (int i = 0; i < header_.num_sections && error_.empty(); ++i) {
      sections_.push_back(
          read<ElfSection>(header_.section_offset +
                           static_cast<uint64_t>(i) * sizeof(ElfSection)));
    }
    if (header_.names_index >= sections_.size()) {
      return failed("the cubin names no sections");
    }
    for (std::size_t i = 0; i < sections_.size(); ++i) read_section(i);
    read_registers();
    read_variables();
    if (!error_.empty()) return failed(error_);
    CubinFacts facts;
    facts.constant_bytes = constant_bytes_;
    facts.variables = std::move(variables_);
    for (auto& [name, kernel] : kernels_) {
      kernel.name = name;
      code_ += name + ' ' + std::to_string(kernel.registers) + ' ' +
               std::to_string(kernel.shared_bytes) + '\n';
      if (kernel.code_bytes > 0) facts.kernels.push_back(std::move(kernel));
    }
    facts.code_hash = hash_hex(code_);
    return facts;
  }

 private:
  void refuse(std::string message) {
    if (error_.empty()) error_ = std::move(message);
  }

  // Copies a T out of the file; refuses what lies outside.
  template <typename T>
  T read(uint64_t offset) {
    T value{};
    if (offset > cubin_.size() || sizeof(T) > cubin_.size() - offset) {
      refuse("the cubin is cut short");
      return value;
    }
    std::memcpy(&value, cubin_.data() + offset, sizeof(T));
    return value;
  }

  std::string text(const ElfSection& table, uint64_t index) {
    std::string out;
    while (error_.empty() && index + out.size() < table.bytes) {
      const char c = read<char>(table.offset + index + out.size());
      if (c == 0) break;
      out += c;
    }
    return out;
  }

  void read_section(std::size_t index) {
    const ElfSection& section = sections_[index];
    const std::string name = text(sections_[header_.names_index], section.name);
    const auto kernel_of = [&](std::string_view prefix) -> CubinKernel* {
      if (!name.starts_with(prefix)) return nullptr;
      return &kernels_[name.substr(prefix.size())];
    };
    const auto bytes = static_cast<int64_t>(section.bytes);
    if (CubinKernel* kernel = kernel_of(".text.")) {
      kernel->code_bytes = bytes;
      add_code(name, section);
    } else if (name == ".nv.info") {
      info_ = index;
    } else if (name.starts_with(".nv.shared.reserved")) {
      return;
    } else if (CubinKernel* shared = kernel_of(".nv.shared.")) {
      shared->shared_bytes = bytes;
    } else if (name.starts_with(".nv.constant3")) {
      constant_bytes_ += bytes;
      add_code(name, section);
    } else if (name.starts_with(".nv.constant2")) {
      add_code(name, section);
    } else if (name.starts_with(".rel") &&
               name.find(".text.") != std::string::npos && bytes > 0) {
      // Names symbols by their places in a table; as yet no cubin has any.
      add_code(name, section);
      for (const ElfSection& table : sections_) {
        if (table.type == kSymbolTable) add_code("symbols", table);
      }
    } else if (name.starts_with(".nv.global")) {
      globals_.push_back(index);
    }
  }

  void add_code(const std::string& name, const ElfSection& section) {
    if (section.offset > cubin_.size() ||
        section.bytes > cubin_.size() - section.offset) {
      return refuse("the cubin is cut short");
    }
    code_ += name + ' ' +
             hash_hex(cubin_.subspan(section.offset, section.bytes)) + '\n';
  }

  const ElfSection* symbol_table() const {
    for (const ElfSection& section : sections_) {
      if (section.type == kSymbolTable && section.link < sections_.size()) {
        return &section;
      }
    }
    return nullptr;
  }

  // Attributes, one after another: form, attribute, 16 bits of value or size;
  // the form kSizedValue brings so many bytes. Registers: symbol and count.
  void read_registers() {
    const ElfSection* const symbols = symbol_table();
    if (info_ == 0 || symbols == nullptr) return;
    const ElfSection& section = sections_[info_];
    for (uint64_t at = 0; at + 4 <= section.bytes && error_.empty();) {
      const auto form = read<unsigned char>(section.offset + at);
      const auto attribute = read<unsigned char>(section.offset + at + 1);
      const auto size = read<uint16_t>(section.offset + at + 2);
      if (form == kSizedValue && attribute == kRegisterCount && size >= 8) {
        const auto symbol =
            read<ElfSymbol>(symbols->offset +
                            uint64_t{read<uint32_t>(section.offset + at + 4)} *
                                sizeof(ElfSymbol));
        const auto found =
            kernels_.find(text(sections_[symbols->link], symbol.name));
        if (found != kernels_.end()) {
          found->second.registers = read<uint32_t>(section.offset + at + 8);
        }
      }
      at += 4 + (form == kSizedValue ? size : 0);
    }
  }

  void read_variables() {
    const ElfSection* const symbols = symbol_table();
    if (symbols == nullptr) return;
    const uint64_t count =
        std::min<uint64_t>(symbols->bytes / sizeof(ElfSymbol), kMaxSymbols);
    for (uint64_t i = 0; i < count && error_.empty(); ++i) {
      const auto symbol =
          read<ElfSymbol>(symbols->offset + i * sizeof(ElfSymbol));
      const bool global = (symbol.info & 0xf) == kObjectSymbol &&
                          std::find(globals_.begin(), globals_.end(),
                                    symbol.section) != globals_.end();
      if (global) {
        variables_.push_back(text(sections_[symbols->link], symbol.name));
      }
    }
  }

  std::span<const std::byte> cubin_;
  ElfHeader header_{};
  std::vector<ElfSection> sections_;
  std::vector<std::size_t> globals_;
  std::size_t info_ = 0;  // 0 is no section
  std::map<std::string, CubinKernel> kernels_;
  std::vector<std::string> variables_;
  int64_t constant_bytes_ = 0;
  std::string code_;  // a line per section and kernel that counts
  std::string error_;
};

}  // namespace

Result<CubinFacts> read_cubin(std::span<const std::byte> cubin) {
  return CubinReader(cubin).run();
}

}  // namespace evoke::cuda
