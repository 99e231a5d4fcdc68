/*evoke
problem = "attention"
[[variant]]
name = "v"
[[variant.launch]]
kernel = "k"
reads = ["query", "key", "value"]
writes = ["output"]
threadgroups = ["B", "Hq"]
evoke*/
KERNEL(k) {}
#include <vec\
tor>
void f() { as\
m("nop"); } // ??/
[[gnu::used, likely]] __attribute__((aligned(8), section("x"))) int y; auto z = R"(a)";
#define A(a, b) a##b
