// Linked into every program that opens baselines and may be built with
// ThreadSanitizer: it asks for this before any module is loaded, and a
// runner's environment is empty. Libraries that were built without the
// sanitizer hide their locks from it; the races named here are theirs.
#ifdef EVOKE_TSAN

extern "C" const char* __tsan_default_suppressions();

extern "C" const char* __tsan_default_suppressions() {
  return "called_from_lib:libmlx\n"
         "race:libmlx\n"
         "race:libevoke_baseline_\n"
         "called_from_lib:libgomp\n"
         "called_from_lib:libdnnl\n"
         "called_from_lib:libtbb\n"
         "called_from_lib:libopenvino\n"
         "called_from_lib:libopenblas\n";
}

#endif
