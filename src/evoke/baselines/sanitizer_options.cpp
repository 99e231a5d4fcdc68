// Linked into every program that opens baselines: a sanitizer asks for its
// options before any module is loaded, and a runner's environment is empty.
// Each hook must be visible, or the sanitizer's library does not find it.
#if defined(EVOKE_TSAN)

extern "C" __attribute__((visibility("default"))) const char*
__tsan_default_suppressions();

// Libraries that were built without the sanitizer hide their locks from it;
// the races named here are theirs.
extern "C" const char* __tsan_default_suppressions() {
  return "race:libmlx\n"
         "race:libopenblas\n"
         "race:libevoke_baseline_onednn\n";  // OpenMP's barriers are hidden
}

#elif defined(EVOKE_ASAN)

extern "C" __attribute__((visibility("default"))) int __lsan_is_turned_off();

// OpenMP's threads outlive the module that brought them along, and the search
// for leaks then crashes in what was their thread-local memory. What baselines
// keep is measured by a test of its own.
extern "C" int __lsan_is_turned_off() { return 1; }

#endif
