#include "evoke/core/forbidden_words.h"

namespace evoke {
namespace {

constexpr std::string_view kAssembly =
    "inline assembly cannot be checked; use intrinsics";
constexpr std::string_view kClock = "kernels may not tell the time";
constexpr std::string_view kMemory = "kernels may not keep state between calls";
constexpr std::string_view kImport =
    "kernels take nothing from outside but their arguments";
constexpr std::string_view kModule = "modules are not available";
constexpr std::string_view kSystem = "kernels may not call the system";
constexpr std::string_view kRandom = "results must not depend on chance";
constexpr std::string_view kBuild =
    "the object must depend on the text alone, not on when or where it is "
    "compiled";
constexpr std::string_view kProbe =
    "kernels may not look at the compiling machine's files";
constexpr std::string_view kFrame =
    "kernels may not look at or change their caller's frame";
constexpr std::string_view kFlush =
    "kernels may not flush or time shared levels of memory";
constexpr std::string_view kTransaction = "transactions tell the time";
constexpr std::string_view kPragma = "write the pragma as #pragma";
constexpr std::string_view kHost = "reserved for the host";

constexpr ForbiddenWord kCpuWords[] = {
    {"asm", kAssembly},
    {"__asm", kAssembly},
    {"__asm__", kAssembly},
    {"thread_local", kMemory},
    {"__thread", kMemory},
    {"_Thread_local", kMemory},
    {"extern", kImport},
    {"export", kModule},
    {"import", kModule},
    {"module", kModule},
    {"_Pragma", kPragma},
    {"__pragma", kPragma},
    {"__declspec", "use __attribute__ or [[...]] of the allowed kinds"},
    {"__has_include", kProbe},
    {"__has_include_next", kProbe},
    {"__has_embed", kProbe},
    {"__DATE__", kBuild},
    {"__TIME__", kBuild},
    {"__TIMESTAMP__", kBuild},
    {"__FILE__", kBuild},
    {"__FILE_NAME__", kBuild},
    {"__BASE_FILE__", kBuild},
    {"__INCLUDE_LEVEL__", kBuild},
    {"__builtin_FILE", kBuild},
    {"source_location", kBuild},
    // Clocks and counters.
    {"_rdtsc", kClock},
    {"__rdtsc", kClock},
    {"__rdtscp", kClock},
    {"_rdpmc", kClock},
    {"__rdpmc", kClock},
    {"__builtin_ia32_rdtsc", kClock},
    {"__builtin_ia32_rdtscp", kClock},
    {"__builtin_ia32_rdpmc", kClock},
    {"__builtin_readcyclecounter", kClock},
    {"__builtin_readsteadycounter", kClock},
    {"__arm_rsr*", kClock},
    {"__builtin_arm_rsr*", kClock},
    {"__builtin_aarch64_rsr*", kClock},
    {"clock_gettime", kClock},
    {"clock_nanosleep", kClock},
    {"gettimeofday", kClock},
    {"timespec_get", kClock},
    {"nanosleep", kClock},
    {"usleep", kClock},
    {"_xbegin", kTransaction},
    {"_xend", kTransaction},
    {"_xabort", kTransaction},
    {"_xtest", kTransaction},
    {"__builtin_ia32_x*", kTransaction},
    {"_umonitor", kClock},
    {"_umwait", kClock},
    {"_tpause", kClock},
    {"_mm_monitor*", kClock},
    {"_mm_mwait*", kClock},
    {"_mm_clflush*", kFlush},
    {"_mm_clwb", kFlush},
    {"__builtin_ia32_cl*", kFlush},
    // Chance and the identity of the processor.
    {"_rdrand*", kRandom},
    {"_rdseed*", kRandom},
    {"__builtin_ia32_rdrand*", kRandom},
    {"__builtin_ia32_rdseed*", kRandom},
    {"_rdpid_u32", kRandom},
    {"__builtin_ia32_rdpid", kRandom},
    // Registers that live longer than a call.
    {"_readfsbase*", kMemory},
    {"_readgsbase*", kMemory},
    {"_writefsbase*", kMemory},
    {"_writegsbase*", kMemory},
    {"__builtin_ia32_rdfsbase*", kMemory},
    {"__builtin_ia32_rdgsbase*", kMemory},
    {"__builtin_ia32_wrfsbase*", kMemory},
    {"__builtin_ia32_wrgsbase*", kMemory},
    {"__builtin_thread_pointer", kMemory},
    {"__builtin_set_thread_pointer", kMemory},
    {"_mm_setcsr", kMemory},
    {"__builtin_ia32_ldmxcsr", kMemory},
    // The caller's frame.
    {"__builtin_return_address", kFrame},
    {"__builtin_frame_address", kFrame},
    {"__builtin_extract_return_addr", kFrame},
    {"__builtin_apply*", kFrame},
    {"__builtin_setjmp", kFrame},
    {"__builtin_longjmp", kFrame},
    {"__builtin_eh_return*", kFrame},
    {"__builtin_unwind_init", kFrame},
    {"__builtin_dwarf_cfa", kFrame},
    {"__builtin_call_with_static_chain", kFrame},
    // The system and the loader.
    {"syscall", kSystem},
    {"dlopen", kSystem},
    {"dlmopen", kSystem},
    {"dlsym", kSystem},
    {"dlvsym", kSystem},
    {"dladdr", kSystem},
    {"dl_iterate_phdr", kSystem},
    {"mmap", kSystem},
    {"munmap", kSystem},
    {"mremap", kSystem},
    {"mprotect", kSystem},
    {"madvise", kSystem},
    {"ptrace", kSystem},
    {"process_vm_readv", kSystem},
    {"process_vm_writev", kSystem},
    {"sigaction", kSystem},
    {"pthread_*", kSystem},
    {"getenv", kSystem},
    {"environ", kSystem},
    {"__environ", kSystem},
    {"_dl_*", kSystem},
    {"__libc_*", kSystem},
    {"__cxa_*", kSystem},
    {"_DYNAMIC", kSystem},
    {"_GLOBAL_OFFSET_TABLE_", kSystem},
    {"__dso_handle", kSystem},
    {"__ehdr_start", kSystem},
    {"evoke*", kHost},
    {"Evoke*", kHost},
    {"EVOKE*", kHost}};

constexpr std::string_view kCpuHeaders[] = {
    "cstdint", "cstddef", "cmath",       "cfloat",    "climits",
    "limits",  "array",   "algorithm",   "bit",       "type_traits",
    "utility", "tuple",   "immintrin.h", "arm_neon.h"};
constexpr std::string_view kCpuPragmas[] = {"GCC unroll", "GCC ivdep",
                                            "clang loop", "unroll", "once"};
constexpr std::string_view kCpuAttributes[] = {
    "aligned",        "always_inline", "artificial",   "assume",
    "assume_aligned", "cold",          "const",        "fallthrough",
    "flatten",        "gnu",           "hot",          "leaf",
    "likely",         "may_alias",     "maybe_unused", "no_unique_address",
    "nodiscard",      "noinline",      "nonnull",      "noreturn",
    "nothrow",        "packed",        "pure",         "unlikely",
    "unused",         "vector_size"};

constexpr ForbiddenTable kCpu{
    kCpuWords, {}, kCpuHeaders, kCpuPragmas, kCpuAttributes};

constexpr ForbiddenWord kCudaWords[] = {
    {"clock", kClock},
    {"clock64", kClock},
    {"__nv_clock*", kClock},
    {"globaltimer", kClock},
    {"__globaltimer", kClock},
    {"__nanosleep", kClock},
    {"__managed__", kMemory},
    {"thread_local", kMemory},
    {"extern", "declare dynamic memory with dynamic_memory in the plan"},
    {"import", kModule},
    {"export", kModule},
    {"_Pragma", kPragma},
    {"__has_include", kProbe},
    {"__has_include_next", kProbe},
    {"__has_embed", kProbe},
    {"__DATE__", kBuild},
    {"__TIME__", kBuild},
    {"__TIMESTAMP__", kBuild},
    {"__FILE__", kBuild},
    {"__BASE_FILE__", kBuild},
    {"evoke*", kHost},
    {"Evoke*", kHost},
    // (The prelude itself has EVOKE_DEVICE.)
    {"EVOKE_KERNEL*", kHost}};
constexpr ForbiddenWord kCudaStrings[] = {
    {"%clock", kClock},    {"%globaltimer", kClock}, {"%pm", kClock},
    {"nanosleep", kClock}, {".visible", kImport},    {".extern", kImport},
    {".global .", kMemory}};
constexpr std::string_view kCudaHeaders[] = {
    "cstdint",    "cuda_bf16.h", "cuda_fp16.h",
    "cuda_fp8.h", "mma.h",       "cooperative_groups.h"};
constexpr std::string_view kCudaPragmas[] = {"unroll", "nounroll", "once"};
constexpr std::string_view kCudaAttributes[] = {
    "aligned",      "always_inline", "fallthrough", "likely",
    "maybe_unused", "nodiscard",     "noinline",    "noreturn",
    "packed",       "unlikely",      "unused"};
constexpr ForbiddenTable kCuda{kCudaWords, kCudaStrings, kCudaHeaders,
                               kCudaPragmas, kCudaAttributes};

constexpr ForbiddenWord kMetalWords[] = {{"asm", kAssembly},
                                         {"__asm", kAssembly},
                                         {"__asm__", kAssembly},
                                         {"extern", kImport},
                                         {"import", kModule},
                                         {"export", kModule},
                                         {"_Pragma", kPragma},
                                         {"__has_include", kProbe},
                                         {"__has_include_next", kProbe},
                                         {"__DATE__", kBuild},
                                         {"__TIME__", kBuild},
                                         {"__TIMESTAMP__", kBuild},
                                         {"__FILE__", kBuild},
                                         {"__BASE_FILE__", kBuild},
                                         {"evoke*", kHost},
                                         {"Evoke*", kHost},
                                         {"EVOKE*", kHost}};
constexpr std::string_view kMetalHeaders[] = {
    "metal_stdlib", "metal_math", "metal_simdgroup", "metal_simdgroup_matrix",
    "metal_atomic"};
constexpr std::string_view kMetalPragmas[] = {"unroll", "clang loop", "once"};
constexpr std::string_view kMetalAttributes[] = {
    "aligned",
    "always_inline",
    "fallthrough",
    "likely",
    "max_total_threads_per_threadgroup",
    "maybe_unused",
    "nodiscard",
    "noinline",
    "packed",
    "unlikely",
    "unused"};
constexpr ForbiddenTable kMetal{
    kMetalWords, {}, kMetalHeaders, kMetalPragmas, kMetalAttributes};

}  // namespace

const ForbiddenTable& forbidden_table(Dialect dialect) {
  switch (dialect) {
    case Dialect::cuda:
      return kCuda;
    case Dialect::metal:
      return kMetal;
    case Dialect::cpu:
      break;
  }
  return kCpu;
}

}  // namespace evoke
