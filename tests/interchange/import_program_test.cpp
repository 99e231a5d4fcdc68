// Runs Python behind the walls, and looks at the kernel files that come out.
#include "evoke/interchange/import_program.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "evoke/interchange/run_program.h"

namespace evoke {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// In the form of OpenEvolve's Metal example: a source in a function that
// takes queries, keys, values, scale and mask.
constexpr const char* kExampleForm = R"python(
import mlx.core as mx


def attention(queries, keys, values, scale=1.0, mask=None):
    B, heads, L, D = queries.shape
    allowed = mx.logical_not(mx.triu(mx.ones((L, L), dtype=mx.bool_), k=1))
    allowed = mx.broadcast_to(allowed[None, None], (B, heads, L, L))
    # EVOLVE-BLOCK-START
    source = """
    uint i = thread_position_in_grid.x;
    if (i >= LENGTH) return;
    T kept[LENGTH];
    for (uint d = 0; d < DIM; ++d) {
        kept[d] = queries[i * DIM + d] * scale[0];
        output[i * DIM + d] = mask[i] && flag[0] > 0 ? kept[d] : keys[0] + values[0];
    }
    """
    # EVOLVE-BLOCK-END
    kernel = mx.fast.metal_kernel(
        name="example kernel",
        input_names=["queries", "keys", "values", "mask", "scale", "flag"],
        output_names=["output"],
        source=source,
    )
    return kernel(
        inputs=[queries, keys, values, allowed,
                mx.array([scale], dtype=queries.dtype), mx.array([1])],
        output_shapes=[queries.shape],
        output_dtypes=[queries.dtype],
        grid=(L, heads, B),
        threadgroup=(min(32, L), 1, 1),
        template=[("T", queries.dtype), ("LENGTH", L), ("DIM", D),
                  ("GROUP", heads // keys.shape[1]), ("TILE", 24)],
    )[0]
)python";

RunProgramOptions options() {
  RunProgramOptions options;
  options.runner = EVOKE_RUNNER_PATH;
  options.python = EVOKE_TEST_PYTHON;
  return options;
}

class ImportProgram : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(EVOKE_TEST_PYTHON)) {
      GTEST_SKIP() << "no interpreter with MLX: " EVOKE_TEST_PYTHON;
    }
  }
};

Result<KernelSource> imported(const std::string& program) {
  const auto record = run_program(program, usual_samples(), options());
  if (!record) return error_of(record);
  return import_record(*record, "folder/program.py");
}

TEST_F(ImportProgram, FollowsTheExamplesForm) {
  const auto kernel = imported(kExampleForm);
  ASSERT_TRUE(kernel) << kernel.error().message;
  const KernelPlan& plan = kernel->plan();
  ASSERT_EQ(plan.variants.size(), 1u);
  const Variant& variant = plan.variants[0];
  // Its mask fits only where there are as many keys as queries.
  EXPECT_EQ(variant.when.text(), "Lk <= Lq && Lq <= LENGTH_max");
  ASSERT_EQ(variant.launches.size(), 5u);
  const Launch& launch = variant.launches[3];
  EXPECT_EQ(launch.kernel, "example_kernel");
  EXPECT_EQ(launch.threads[0].text(), "min(32, Lq)");
  EXPECT_EQ(launch.threadgroups[0].text(), "ceil_div(Lq, min(32, Lq))");
  EXPECT_EQ(launch.threadgroups[1].text(), "Hq");
  EXPECT_EQ(launch.threadgroups[2].text(), "B");
  ASSERT_NE(plan.find_parameter("TILE"), nullptr);
  EXPECT_EQ(plan.find_parameter("TILE")->value, 24);
  const std::string code(kernel->code());
  EXPECT_THAT(code, HasSubstr("typedef bfloat16_t T;"));
  EXPECT_THAT(code, HasSubstr("constexpr int DIM = D;"));
  EXPECT_THAT(code, HasSubstr("constexpr int GROUP = Hq / Hkv;"));
  EXPECT_THAT(code, HasSubstr("const int LENGTH = Lq;"));
  EXPECT_THAT(code, HasSubstr("T kept[LENGTH_max];"));
  EXPECT_THAT(code, HasSubstr("const CausalMask mask{Lq, Lk, causal == 0};"));
  EXPECT_THAT(code, HasSubstr("const int32_t flag[1] = {int32_t(1)};"));
  EXPECT_THAT(code, HasSubstr("if (thread_position_in_grid.x >= uint(Lq))"));
  EXPECT_THAT(code, HasSubstr("    for (uint d = 0; d < DIM; ++d) {\n"));
}

TEST_F(ImportProgram, MakesAVariantOfEachWay) {
  const auto kernel = imported(R"python(
import mlx.core as mx
def run(name, q, k, v, scale):
    kernel = mx.fast.metal_kernel(name=name, input_names=["q", "k", "v", "s"],
        output_names=["out"], source=f"out[0] = q[0] * s; // {name}",
        ensure_row_contiguous=False)
    return kernel(inputs=[q, k, v, scale], output_shapes=[q.shape],
        output_dtypes=[q.dtype], grid=(32, q.shape[1], 1),
        threadgroup=(32, 1, 1))[0]
def attention(q, k, v, scale, mask):
    return run("one" if q.shape[2] == 1 else "many", q, k, v, scale)
)python");
  ASSERT_TRUE(kernel) << kernel.error().message;
  ASSERT_EQ(kernel->plan().variants.size(), 2u);
  EXPECT_EQ(kernel->plan().variants[0].when.text(), "causal == 1 && (Lq > 1)");
  EXPECT_EQ(kernel->plan().variants[1].when.text(), "Lq == 1");
  EXPECT_THAT(std::string(kernel->code()),
              HasSubstr("const device bfloat16_t* q = query;"));
}

TEST_F(ImportProgram, TakesMlxsOwnExamples) {
  const auto kernel = imported(R"python(
import mlx.core as mx
kernel = mx.fast.metal_kernel(name="my_exp", input_names=["inp"],
    output_names=["out"], source="""
    uint elem = thread_position_in_grid.x;
    T tmp = inp[elem];
    out[elem] = metal::exp(tmp);
""")
a = mx.random.normal(shape=(4, 16)).astype(mx.float16)
b = kernel(inputs=[a], template=[("T", mx.float32), ("N", 5)],
    grid=(a.size, 1, 1), threadgroup=(256, 1, 1), output_shapes=[a.shape],
    output_dtypes=[a.dtype])[0]
)python");
  ASSERT_TRUE(kernel) << kernel.error().message;
  EXPECT_EQ(kernel->plan().problem, "my_exp");
  const Launch& launch = kernel->plan().variants[0].launches[0];
  EXPECT_EQ(launch.reads, std::vector<std::string>{"inp"});
  EXPECT_EQ(launch.writes, std::vector<std::string>{"out"});
  EXPECT_EQ(launch.threads[0].text(), "64");
  EXPECT_EQ(launch.threadgroups[0].text(), "1");
  EXPECT_EQ(kernel->plan().find_parameter("N")->value, 5);
  EXPECT_THAT(std::string(kernel->code()), HasSubstr("typedef float T;"));
}

TEST_F(ImportProgram, TakesTheCodeOfWhatEvokeExported) {
  const auto record = run_program(R"python(
import mlx.core as mx
KERNEL_PLAN = '''problem = "attention"
[parameters]
tile = { value = 8, choices = [8, 16] }
[[variant]]
name = "all"
[[variant.launch]]
kernel = "whole"
reads = ["query", "key", "value"]
writes = ["output"]
threadgroups = ["Hq"]
threads = [32]
'''
def attention(query, key, value, scale, causal):
    kernel = mx.fast.metal_kernel(name="evoke_1", output_names=["output"],
        input_names=["query", "key", "value"],
        header="constexpr constant int D = 1;\n#line 9 \"k\"\n// helper\n",
        source="#line 7 \"k\"\n\n  output[0] = 1;\n")
    return kernel(inputs=[query, key, value], grid=(512, 1, 1),
        threadgroup=(32, 1, 1), output_shapes=[query.shape],
        output_dtypes=[query.dtype])[0]
)python",
                                  usual_samples(), options());
  ASSERT_TRUE(record) << record.error().message;
  const auto kernel = import_record(*record, "program.py");
  ASSERT_TRUE(kernel) << kernel.error().message;
  EXPECT_EQ(kernel->plan().find_parameter("tile")->choices.size(), 2u);
  EXPECT_THAT(std::string(kernel->code()),
              HasSubstr("// helper\n\nKERNEL(whole) {\n  output[0] = 1;\n}\n"));
  EXPECT_THAT(std::string(kernel->code()), Not(HasSubstr("constexpr")));
}

TEST_F(ImportProgram, SaysWhatAProgramDidWrong) {
  const auto message = [](const std::string& program) {
    const auto kernel = imported(program);
    EXPECT_FALSE(kernel);
    return kernel ? std::string() : kernel.error().message;
  };
  EXPECT_THAT(message("x = 1\n"),
              HasSubstr("no function takes queries, keys and values"));
  EXPECT_THAT(message("\nraise ValueError('no')\n"),
              HasSubstr("folder/program.py: ValueError: no (line 2)"));
  EXPECT_THAT(message("def f(q, k, v):\n    return q\n"),
              HasSubstr("no kernel was launched"));
  EXPECT_THAT(message("def f(q, k, v):\n    return q.nothing\n"),
              HasSubstr("AttributeError"));
}

TEST_F(ImportProgram, KeepsProgramsFromTheWorld) {
  const auto kernel = imported(R"python(
import os, socket
found = []
for what in (lambda: socket.create_connection(("127.0.0.1", 9), 1),
             lambda: open("/etc/evoke-was-here", "w"),
             lambda: open(os.path.expanduser("/root/.profile"))):
    try:
        what()
        found.append("reached")
    except OSError as error:
        found.append(type(error).__name__)
raise SystemExit if "reached" in found else RuntimeError(" ".join(found))
)python");
  ASSERT_FALSE(kernel);
#ifdef __linux__
  EXPECT_THAT(kernel.error().message, HasSubstr("RuntimeError: "));
#endif
  auto limited = options();
  limited.time_ms = 1500;
  const auto slow = run_program("while True: pass\n", {}, limited);
  ASSERT_FALSE(slow);
}

}  // namespace
}  // namespace evoke
