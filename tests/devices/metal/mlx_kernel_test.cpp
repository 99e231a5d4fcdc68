// Compares, text for text, with what MLX makes of the same calls.
#include "evoke/devices/metal/mlx_kernel.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "evoke/base/rng.h"
#include "mlx_trace.h"

namespace evoke::metal {
namespace {

using testing::text_by_mlx;

MlxKernel kernel_of(std::string source) {
  MlxKernel kernel;
  kernel.name = "case";
  kernel.inputs = {{"inp", ElementType::float16, {4, 16}}};
  kernel.outputs = {{"out", ElementType::float16, {4, 16}}};
  kernel.source = std::move(source);
  return kernel;
}

struct GoldenCase {
  std::string label;
  MlxKernel kernel;
};

// As OpenEvolve's Metal example calls its kernel.
MlxKernel seed_example() {
  MlxKernel kernel;
  kernel.name = "qwen3_gqa_attention_kernel";
  kernel.inputs = {{"queries", ElementType::bfloat16, {1, 16, 9, 128}},
                   {"keys", ElementType::bfloat16, {1, 8, 9, 128}},
                   {"values", ElementType::bfloat16, {1, 8, 9, 128}},
                   {"mask", ElementType::bool_, {1, 16, 9, 9}},
                   {"scale", ElementType::bfloat16, {1}},
                   {"use_mask", ElementType::int32, {1}}};
  kernel.outputs = {{"output", ElementType::bfloat16, {1, 16, 9, 128}}};
  kernel.source =
      "\n    uint thread_id = thread_position_in_grid.x;\n"
      "    T scale_val = scale[0];\n    ";
  kernel.template_arguments = {{"T", ElementType::bfloat16},
                               {"BATCH_SIZE", 1},
                               {"NUM_HEADS", 16},
                               {"HEAD_DIM", 128}};
  return kernel;
}

std::vector<GoldenCase> golden_cases() {
  std::vector<GoldenCase> cases;
  const auto add = [&](std::string label, MlxKernel kernel) {
    cases.push_back({std::move(label), std::move(kernel)});
  };
  add("the seed example", seed_example());
  add("nothing is named", kernel_of("out[0] = inp[0];"));
  MlxKernel kernel = kernel_of(
      "uint elem = thread_position_in_grid.x;\n"
      "uint loc = elem_to_loc(elem, inp_shape, inp_strides, inp_ndim);\n"
      "T tmp = inp[loc];\nout[elem] = metal::exp(tmp);\n");
  kernel.template_arguments = {{"T", ElementType::float32}};
  add("MLX's strided example", kernel);
  add("named in a comment only",
      kernel_of("// inp_shape, threads_per_grid\nout[0] = inp[0];"));
  add("an attribute within another's name",
      kernel_of("out[0] = dispatch_threads_per_threadgroup.x;"));
  std::string every;
  for (const ThreadAttribute& attribute : thread_attributes()) {
    every += std::string(attribute.name) + ";\n";
  }
  add("every attribute", kernel_of(every));
  for (const int64_t elements : {1, 7, 8, 9}) {
    kernel = kernel_of("out[thread_position_in_grid.x] = inp[0];");
    kernel.inputs[0].shape = {elements};
    add(std::to_string(elements) + " elements", kernel);
  }
  kernel = kernel_of("out[0] = inp_shape;");
  kernel.inputs[0].shape = {};
  add("rank 0 has no shape", kernel);
  kernel = kernel_of("out[0] = inp_shape[0];");
  kernel.inputs[0].shape = {0, 4};
  add("no elements", kernel);
  kernel = kernel_of("out[0] = inp[0];");
  kernel.template_arguments = {
      {"flag", true}, {"other", false}, {"N", -3}, {"U", ElementType::bool_}};
  add("template arguments of every kind", kernel);
  kernel = kernel_of("out[thread_position_in_grid.x] = twice(inp[0]);");
  kernel.header =
      "#include <metal_simdgroup>\nusing namespace metal;\n"
      "template <typename T> T twice(T x) { return x + x; }";
  add("a header without a line end", kernel);
  kernel = kernel_of("out[0] = 1;");
  kernel.outputs.push_back({"out2", ElementType::uint32, {3}});
  kernel.atomic_outputs = true;
  add("atomic outputs", kernel);
  kernel = kernel_of("out[0] = inp_shape[0];");
  kernel.outputs.push_back({"out2", ElementType::uint32, {3}});
  add("shapes and no attribute: a list that ends early", kernel);
  kernel = kernel_of("out[0] = 1;");
  kernel.inputs.clear();
  add("no inputs", kernel);
  kernel = kernel_of("");
  add("an empty body", kernel);
  for (const ElementType type :
       {ElementType::bool_, ElementType::int8, ElementType::int16,
        ElementType::int32, ElementType::int64, ElementType::uint8,
        ElementType::uint16, ElementType::uint32, ElementType::uint64,
        ElementType::float16, ElementType::bfloat16, ElementType::float32,
        ElementType::complex64}) {
    kernel = kernel_of("out[0] = inp[0];");
    kernel.inputs[0].type = type;
    kernel.outputs[0].type = type;
    kernel.template_arguments = {{"T", type}};
    add(std::string(python_name(type)), kernel);
  }
  return cases;
}

TEST(MlxKernel, IsWhatMlxMakesOfEachCase) {
  for (const GoldenCase& each : golden_cases()) {
    SCOPED_TRACE(each.label);
    EXPECT_EQ(mlx_source(each.kernel).text, text_by_mlx(each.kernel));
  }
}

MlxArray random_array(Rng& rng, const std::string& name) {
  MlxArray array{name, static_cast<ElementType>(rng.below(13)), {}};
  const uint64_t rank = rng.below(4);
  for (uint64_t i = 0; i < rank; ++i) {
    array.shape.push_back(static_cast<int64_t>(1 + rng.below(5)));
  }
  return array;
}

MlxKernel random_kernel(Rng& rng) {
  MlxKernel kernel;
  kernel.name = "random" + std::to_string(rng.below(1000));
  const std::vector<std::string> names = {"x", "key", "y_x"};
  for (uint64_t i = 0; i < rng.below(4); ++i) {
    kernel.inputs.push_back(random_array(rng, names[i]));
  }
  for (uint64_t i = 0; i < 1 + rng.below(2); ++i) {
    kernel.outputs.push_back(random_array(rng, i == 0 ? "out" : "more"));
  }
  for (const std::string& name : names) {
    for (const char* suffix : {"_shape", "_strides", "_ndim"}) {
      if (rng.chance(0.3)) kernel.source += name + suffix + ";\n";
    }
  }
  for (const ThreadAttribute& attribute : thread_attributes()) {
    if (rng.chance(0.1)) kernel.source += std::string(attribute.name) + ";\n";
  }
  if (rng.chance(0.5))
    kernel.template_arguments.push_back({"T", ElementType::bfloat16});
  if (rng.chance(0.5)) {
    kernel.template_arguments.push_back(
        {"N", static_cast<int>(rng.below(99)) - 49});
  }
  kernel.atomic_outputs = rng.chance(0.2);
  return kernel;
}

TEST(MlxKernel, IsWhatMlxMakesOfRandomCalls) {
  Rng rng(7);
  for (int i = 0; i < 200; ++i) {
    const MlxKernel kernel = random_kernel(rng);
    ASSERT_EQ(mlx_source(kernel).text, text_by_mlx(kernel)) << "case " << i;
  }
}

TEST(MlxKernel, TellsWhereEachBufferComesFrom) {
  using Kind = MlxParameter::Kind;
  MlxKernel kernel = kernel_of(
      "out[thread_position_in_grid.x] = inp_strides[0] + inp_ndim + s;");
  kernel.inputs.push_back({"s", ElementType::float32, {}});
  const MlxSource source = mlx_source(kernel);
  const std::vector<MlxParameter> expected = {
      {Kind::input, 0}, {Kind::strides, 0}, {Kind::ndim, 0},
      {Kind::input, 1}, {Kind::output, 0},  {Kind::attribute, 0}};
  EXPECT_EQ(source.parameters, expected);
  EXPECT_EQ(source.attributes,
            std::vector<std::string>{"thread_position_in_grid"});
  EXPECT_EQ(source.text.compare(source.body_offset, kernel.source.size(),
                                kernel.source),
            0);
  EXPECT_NE(source.text.find("void " + source.function + "("),
            std::string::npos);
}

TEST(MlxKernel, ReadsPythonsNamesOfTypes) {
  for (int i = 0; i < 13; ++i) {
    const auto type = static_cast<ElementType>(i);
    const auto parsed = parse_element_type(python_name(type));
    ASSERT_TRUE(parsed);
    EXPECT_EQ(*parsed, type);
  }
  EXPECT_EQ(parse_element_type("bool").value(), ElementType::bool_);
  EXPECT_FALSE(parse_element_type("float64"));
}

}  // namespace
}  // namespace evoke::metal
