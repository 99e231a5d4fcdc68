#include <cxxabi.h>
#include <elf.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>

#include "evoke/devices/cpu/object_check.h"

namespace evoke::cpu {
namespace {

constexpr std::string_view kEntryPrefix = "evoke_run_";
constexpr std::size_t kMaxSymbols = 100000;

#if defined(__x86_64__)
constexpr uint16_t kMachine = EM_X86_64;
constexpr bool is_plain_relocation(uint32_t type) {
  return type == R_X86_64_RELATIVE || type == R_X86_64_GLOB_DAT ||
         type == R_X86_64_JUMP_SLOT || type == R_X86_64_64;
}
#elif defined(__aarch64__)
constexpr uint16_t kMachine = EM_AARCH64;
constexpr bool is_plain_relocation(uint32_t type) {
  return type == R_AARCH64_RELATIVE || type == R_AARCH64_GLOB_DAT ||
         type == R_AARCH64_JUMP_SLOT || type == R_AARCH64_ABS64;
}
#else
constexpr uint16_t kMachine = EM_NONE;
constexpr bool is_plain_relocation(uint32_t) { return false; }
#endif

// "evoke_body_x(int)::counter" as "counter".
std::string variable_name(const std::string& symbol) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> demangled(
      abi::__cxa_demangle(symbol.c_str(), nullptr, nullptr, &status),
      &std::free);
  const std::string name = demangled ? demangled.get() : symbol;
  const std::size_t at = name.rfind("::");
  return at == name.npos ? name : name.substr(at + 2);
}

class ElfCheck {
 public:
  ElfCheck(std::span<const std::byte> object, ImportFilter is_import)
      : object_(object), is_import_(is_import) {}

  Result<ObjectFacts> run() {
    read_header();
    read_segments();
    check_writable_memory();
    check_dynamic();
    check_sections();
    if (!error_.empty()) return failed(error_);
    std::sort(facts_.entry_points.begin(), facts_.entry_points.end());
    std::sort(facts_.imports.begin(), facts_.imports.end());
    return std::move(facts_);
  }

 private:
  void refuse(std::string message) {
    if (error_.empty()) error_ = std::move(message);
  }
  bool bad() const { return !error_.empty(); }

  // Copies a T out of the file; refuses what lies outside.
  template <typename T>
  T read(uint64_t offset) {
    T value{};
    if (offset > object_.size() || sizeof(T) > object_.size() - offset) {
      refuse("the object is cut short");
      return value;
    }
    std::memcpy(&value, object_.data() + offset, sizeof(T));
    return value;
  }
  std::string read_string(const Elf64_Shdr& table, uint64_t index) {
    std::string text;
    const uint64_t begin = table.sh_offset + index;
    while (!bad() && index + text.size() < table.sh_size) {
      const char c = read<char>(begin + text.size());
      if (c == 0) break;
      text += c;
    }
    return text;
  }

  void read_header() {
    header_ = read<Elf64_Ehdr>(0);
    if (bad()) return;
    const bool shared = std::memcmp(header_.e_ident, ELFMAG, SELFMAG) == 0 &&
                        header_.e_ident[EI_CLASS] == ELFCLASS64 &&
                        header_.e_ident[EI_DATA] == ELFDATA2LSB &&
                        header_.e_type == ET_DYN &&
                        header_.e_machine == kMachine &&
                        header_.e_phentsize == sizeof(Elf64_Phdr) &&
                        header_.e_shentsize == sizeof(Elf64_Shdr);
    if (!shared) refuse("not a 64-bit ELF shared object of this machine");
  }

  void read_segments() {
    for (int i = 0; i < header_.e_phnum && !bad(); ++i) {
      segments_.push_back(
          read<Elf64_Phdr>(header_.e_phoff + i * sizeof(Elf64_Phdr)));
      const Elf64_Phdr& segment = segments_.back();
      if (segment.p_type == PT_TLS) {
        refuse(
            "thread-local storage; kernels may not remember anything between "
            "calls");
      }
      if (segment.p_type == PT_INTERP) refuse("a program, not a kernel");
      if (segment.p_type == PT_GNU_STACK && (segment.p_flags & PF_X)) {
        refuse("an executable stack (nested functions?)");
      }
      if (segment.p_type != PT_LOAD) continue;
      if ((segment.p_flags & PF_W) && (segment.p_flags & PF_X)) {
        refuse("memory that is writable and executable");
      }
      if (segment.p_flags & PF_X) {
        facts_.code_bytes += static_cast<int64_t>(segment.p_memsz);
      }
    }
    for (int i = 0; i < header_.e_shnum && !bad(); ++i) {
      sections_.push_back(
          read<Elf64_Shdr>(header_.e_shoff + i * sizeof(Elf64_Shdr)));
    }
  }

  // Everything writable must be made read-only by the loader once relocations
  // are done (RELRO, whole pages).
  void check_writable_memory() {
    const auto page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
    const auto relro = std::find_if(
        segments_.begin(), segments_.end(),
        [](const auto& each) { return each.p_type == PT_GNU_RELRO; });
    for (const Elf64_Phdr& segment : segments_) {
      if (segment.p_type != PT_LOAD || !(segment.p_flags & PF_W)) continue;
      const uint64_t end = segment.p_vaddr + segment.p_memsz;
      const bool sealed =
          relro != segments_.end() && relro->p_vaddr <= segment.p_vaddr &&
          (relro->p_vaddr + relro->p_memsz) / page * page >= end;
      if (!sealed) return refuse_writable();
    }
  }

  // Names the variables, for which the symbol table is kept.
  void refuse_writable() {
    std::string names;
    for (const Elf64_Shdr& table : sections_) {
      if (table.sh_type != SHT_SYMTAB) continue;
      for_each_symbol(table,
                      [&](const Elf64_Sym& symbol, const std::string& name) {
                        if (ELF64_ST_TYPE(symbol.st_info) != STT_OBJECT) return;
                        if (symbol.st_shndx >= sections_.size()) return;
                        const Elf64_Shdr& section = sections_[symbol.st_shndx];
                        const std::string where = section_name(section);
                        if (where != ".data" && where != ".bss") return;
                        if (!names.empty()) names += ", ";
                        names += fmt::format("'{}'", variable_name(name));
                      });
    }
    refuse(fmt::format(
        "writable data{}{}; kernels may not remember anything between calls: "
        "make it const or constexpr, or use scratch",
        names.empty() ? "" : ": ", names));
  }

  template <typename Function>
  void for_each_symbol(const Elf64_Shdr& table, const Function& function) {
    if (table.sh_link >= sections_.size()) {
      return refuse("a symbol table without names");
    }
    const uint64_t count = table.sh_size / sizeof(Elf64_Sym);
    if (count > kMaxSymbols) return refuse("too many symbols");
    for (uint64_t i = 1; i < count && !bad(); ++i) {
      const auto symbol =
          read<Elf64_Sym>(table.sh_offset + i * sizeof(Elf64_Sym));
      function(symbol, read_string(sections_[table.sh_link], symbol.st_name));
    }
  }

  std::string section_name(const Elf64_Shdr& section) {
    if (header_.e_shstrndx >= sections_.size()) return {};
    return read_string(sections_[header_.e_shstrndx], section.sh_name);
  }

  // Tags that a plain shared object has. A constructor, a needed library, a
  // search path and so on are tags of their own.
  void check_dynamic() {
    for (const Elf64_Phdr& segment : segments_) {
      if (segment.p_type != PT_DYNAMIC) continue;
      for (uint64_t at = 0; at + sizeof(Elf64_Dyn) <= segment.p_filesz;
           at += sizeof(Elf64_Dyn)) {
        const auto entry = read<Elf64_Dyn>(segment.p_offset + at);
        if (bad() || entry.d_tag == DT_NULL) break;
        check_dynamic_tag(entry);
      }
    }
  }

  void check_dynamic_tag(const Elf64_Dyn& entry) {
    switch (entry.d_tag) {
      case DT_HASH:
      case DT_GNU_HASH:
      case DT_STRTAB:
      case DT_STRSZ:
      case DT_SYMENT:
      case DT_PLTGOT:
      case DT_PLTRELSZ:
      case DT_PLTREL:
      case DT_JMPREL:
      case DT_RELA:
      case DT_RELASZ:
      case DT_RELAENT:
      case DT_RELACOUNT:
      case DT_BIND_NOW:
        return;
      case DT_SYMTAB:
        dynamic_symbols_ = entry.d_un.d_ptr;
        return;
      case DT_FLAGS:
        if (entry.d_un.d_val & ~uint64_t{DF_BIND_NOW}) {
          refuse("flags that a kernel does not need");
        }
        return;
      case DT_FLAGS_1:
        if (entry.d_un.d_val & ~uint64_t{DF_1_NOW}) {
          refuse("flags that a kernel does not need");
        }
        return;
      case DT_INIT:
      case DT_FINI:
      case DT_INIT_ARRAY:
      case DT_FINI_ARRAY:
      case DT_PREINIT_ARRAY:
      case DT_INIT_ARRAYSZ:
      case DT_FINI_ARRAYSZ:
      case DT_PREINIT_ARRAYSZ:
        return refuse(
            "code that runs when the object is loaded (a global that is not "
            "constexpr?); make it constexpr");
      default:
        return refuse(
            fmt::format("a dynamic section entry {:#x} that kernels do not "
                        "need",
                        static_cast<uint64_t>(entry.d_tag)));
    }
  }

  void check_sections() {
    bool symbols_seen = false;
    for (const Elf64_Shdr& section : sections_) {
      if (bad()) return;
      if (section.sh_type == SHT_RELA) check_relocations(section);
      if (section.sh_type == SHT_REL || section.sh_type == SHT_INIT_ARRAY ||
          section.sh_type == SHT_FINI_ARRAY ||
          section.sh_type == SHT_PREINIT_ARRAY) {
        refuse("a section that kernels do not need");
      }
      const bool constant =
          section.sh_type == SHT_PROGBITS && section.sh_flags == SHF_ALLOC;
      if (constant) {
        facts_.constant_bytes += static_cast<int64_t>(section.sh_size);
      }
      if (section.sh_type != SHT_DYNSYM) continue;
      symbols_seen = section.sh_addr == dynamic_symbols_;
      for_each_symbol(section,
                      [&](const Elf64_Sym& symbol, const std::string& name) {
                        check_dynamic_symbol(symbol, name);
                      });
    }
    if (!symbols_seen) refuse("no table of dynamic symbols");
  }

  void check_relocations(const Elf64_Shdr& section) {
    for (uint64_t at = 0; at + sizeof(Elf64_Rela) <= section.sh_size && !bad();
         at += sizeof(Elf64_Rela)) {
      const auto relocation = read<Elf64_Rela>(section.sh_offset + at);
      if (!is_plain_relocation(
              static_cast<uint32_t>(ELF64_R_TYPE(relocation.r_info)))) {
        refuse(
            "a relocation that runs code or reaches thread-local storage "
            "(IFUNC or TLS)");
      }
    }
  }

  void check_dynamic_symbol(const Elf64_Sym& symbol, const std::string& name) {
    if (symbol.st_shndx == SHN_UNDEF) {
      if (!is_import_(name)) {
        refuse(fmt::format(
            "'{}' comes from outside; kernels may call memcpy, memmove, "
            "memset and the functions of <cmath>",
            variable_name(name)));
      }
      facts_.imports.push_back(name);
      return;
    }
    if (ELF64_ST_TYPE(symbol.st_info) == STT_GNU_IFUNC) {
      return refuse(fmt::format("'{}' is resolved by code when loaded (IFUNC)",
                                variable_name(name)));
    }
    if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC ||
        !name.starts_with(kEntryPrefix)) {
      return refuse(fmt::format("'{}' is visible outside the object",
                                variable_name(name)));
    }
    facts_.entry_points.push_back(name);
  }

  std::span<const std::byte> object_;
  ImportFilter is_import_;
  Elf64_Ehdr header_{};
  std::vector<Elf64_Phdr> segments_;
  std::vector<Elf64_Shdr> sections_;
  uint64_t dynamic_symbols_ = 0;
  ObjectFacts facts_;
  std::string error_;
};

}  // namespace

Result<ObjectFacts> check_object(std::span<const std::byte> object,
                                 ImportFilter is_import) {
  return ElfCheck(object, is_import).run();
}

}  // namespace evoke::cpu
