// Linked into every program that opens baselines and may be built with
// ThreadSanitizer: it asks for this before any module is loaded, and a
// runner's environment is empty. Libraries that were built without the
// sanitizer hide their locks from it; the races named here are theirs.
#ifdef EVOKE_TSAN

// Visible, or the sanitizer's library does not find it.
extern "C" __attribute__((visibility("default"))) const char*
__tsan_default_suppressions();

extern "C" const char* __tsan_default_suppressions() {
  return "race:libmlx\n"
         "race:libopenblas\n"
         "race:libevoke_baseline_onednn\n";  // OpenMP's barriers are hidden
}

#endif
