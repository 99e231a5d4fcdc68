#include "evoke/evaluation/protocol/messages.h"

#include <gtest/gtest.h>

#include <string>
#include <variant>
#include <vector>

#include "evoke/base/rng.h"
#include "evoke/evaluation/protocol/cbor.h"
#include "evoke/evaluation/protocol/plan_json.h"

namespace evoke::protocol {
namespace {

ProblemSignature example_signature() {
  ProblemSignature signature;
  signature.name = "copy";
  signature.tensors = {{"input", DType::bfloat16, {"N"}, false},
                       {"output", DType::float32, {"N"}, true}};
  signature.constants = {"D"};
  signature.sizes = {"N"};
  signature.scalars = {"scale"};
  return signature;
}

LaunchPlan example_plan() {
  LaunchPlan plan;
  plan.variant = 2;
  plan.constants = {{"D", 128}, {"tile", 64}};
  plan.sizes = {{"N", 1 << 20}};
  plan.scalars = {{"scale", 0.0883883461F}};
  plan.scratch = {
      {"partial", DType::float32, {2, 3}, 24, ScratchInit::zero, true}};
  ResolvedLaunch launch;
  launch.kernel = "copy";
  launch.reads = {{false, 0}, {true, 0}};
  launch.writes = {{false, 1}};
  launch.threadgroups = {3, 2, 1};
  launch.dynamic_memory_bytes = 4096;
  launch.tensor_maps = {0};
  launch.cluster = {2, 1, 1};
  launch.nonportable = true;
  launch.pdl = true;
  ResolvedTensorMap map;
  map.name = "tiles";
  map.tensor = {true, 0};
  map.order = {{3}, {1, 2}, {0}};
  map.box = {64, 8, 1};
  map.element_strides = {1, 2, 1};
  map.swizzle_bytes = 128;
  map.l2_promotion_bytes = 256;
  plan.tensor_maps = {map};
  plan.launches = {launch};
  return plan;
}

TensorLayout example_layout() {
  return {"input", DType::bfloat16, {2, 8}, {16, 1}, 64, 256};
}

std::vector<Request> example_requests() {
  return {
      Hello{},
      Compile{"/*evoke ... */",
              Dialect::cpu,
              "a.cpp",
              example_signature(),
              {1, {{"D", 128}}}},
      AddBuffer{3, 4096, true, true},
      DropBuffer{3},
      WriteBuffer{3, 16, {std::byte{1}, std::byte{2}}},
      ReadBuffer{3, 0, 16},
      Load{{std::byte{0x7f}, std::byte{'E'}}},
      Unload{1},
      Prepare{1, example_plan(), {example_layout()}, {{{3, 0}}, {{3, 512}}}},
      PrepareBaseline{{"tiny", {{"N", 4}}, {{"scale", 0.5F}}},
                      {example_layout()},
                      {{{3, 0}}}},
      Release{{1, 2}},
      Stage{{1, 2, 1}, true, false},
      Go{},
      Digest{},
      Collect{{2, 1}},
      Measure{1 << 20, true}};
}

Envelope envelope_of(const Request& request) {
  return std::visit(
      [](const auto& each) {
        return Envelope{"nonce", 5, std::string(each.kType), each.to_json()};
      },
      request);
}

TEST(Messages, EveryRequestSurvivesTheRoundTrip) {
  const std::vector<Request> requests = example_requests();
  ASSERT_EQ(requests.size(), std::variant_size_v<Request>);
  for (const Request& request : requests) {
    const Envelope sent = envelope_of(request);
    const auto json = decode_cbor(encode_cbor(sent.to_json()));
    ASSERT_TRUE(json);
    const auto received = Envelope::from_json(*json);
    ASSERT_TRUE(received) << received.error().message;
    EXPECT_EQ(received->nonce, "nonce");
    EXPECT_EQ(received->number, 5);
    const auto decoded = decode_request(*received);
    ASSERT_TRUE(decoded) << decoded.error().message;
    EXPECT_EQ(decoded->index(), request.index());
    EXPECT_EQ(envelope_of(*decoded).body, sent.body);
  }
}

TEST(Messages, PlansSurviveExactly) {
  const auto plan = plan_from_json(to_json(example_plan()), "plan");
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(*plan, example_plan());
}

TEST(Messages, LaunchesNameTensorMapsThatThePlanHas) {
  LaunchPlan plan = example_plan();
  plan.launches[0].tensor_maps = {1};
  EXPECT_FALSE(plan_from_json(to_json(plan), "plan"));
  plan = example_plan();
  plan.tensor_maps[0].box.pop_back();
  EXPECT_FALSE(plan_from_json(to_json(plan), "plan"));
}

TEST(Messages, AMissingMemberIsNamed) {
  for (const Request& request : example_requests()) {
    const Envelope envelope = envelope_of(request);
    for (const auto& [key, value] : envelope.body.items()) {
      Envelope damaged = envelope;
      damaged.body.erase(key);
      const auto decoded = decode_request(damaged);
      ASSERT_FALSE(decoded) << envelope.type << "." << key;
      EXPECT_NE(decoded.error().message.find(key), std::string::npos);
    }
  }
}

// Replaces one member anywhere by something of another kind.
void damage(Json& json, Rng& rng) {
  if (json.is_structured() && !json.empty() && rng.chance(0.8)) {
    auto at = json.begin();
    std::advance(at, static_cast<long>(rng.below(json.size())));
    return damage(*at, rng);
  }
  const std::vector<Json> others{nullptr, -1,   1e300,          "text",   true,
                                 {},      {{}}, Json::object(), INT64_MAX};
  json = rng.pick(others);
}

TEST(Messages, DamagedRequestsAreErrorsOrRequests) {
  Rng rng(3);
  int refused = 0;
  for (int round = 0; round < 400; ++round) {
    for (const Request& request : example_requests()) {
      Json json = envelope_of(request).to_json();
      damage(json, rng);
      const auto envelope = Envelope::from_json(json);
      if (!envelope || !decode_request(*envelope)) ++refused;
    }
  }
  EXPECT_GT(refused, 1000);
}

TEST(Messages, ADeviceClockIsOptionalInTheReplyToGo) {
  const auto without = Ran::from_json(Ran{}.to_json());
  ASSERT_TRUE(without);
  EXPECT_FALSE(without->device_ns);
  const auto with =
      Ran::from_json(Ran{12'345, "changed its input", {}}.to_json());
  ASSERT_TRUE(with);
  EXPECT_EQ(with->device_ns, 12'345);
  EXPECT_EQ(with->damage, "changed its input");
  EXPECT_FALSE(Ran::from_json(Ran{-1, "", {}}.to_json()));
}

TEST(Messages, FindingsOfADeviceTravelWithTheReplyToGo) {
  EXPECT_FALSE(Ran{}.to_json().contains("findings"));
  Ran ran;
  ran.findings.push_back(
      {"race in device memory", true, false, "race in device memory: ..."});
  ran.findings.push_back({"divergent", false, true, "a note"});
  const auto read = Ran::from_json(ran.to_json());
  ASSERT_TRUE(read);
  ASSERT_EQ(read->findings.size(), 2U);
  EXPECT_EQ(read->findings[0].kind, "race in device memory");
  EXPECT_TRUE(read->findings[0].wrong);
  EXPECT_FALSE(read->findings[0].out_of_bounds);
  EXPECT_EQ(read->findings[0].message, "race in device memory: ...");
  EXPECT_FALSE(read->findings[1].wrong);
  EXPECT_TRUE(read->findings[1].out_of_bounds);
  Json damaged = ran.to_json();
  damaged["findings"][0].erase("wrong");
  EXPECT_FALSE(Ran::from_json(damaged));
}

TEST(Messages, AnotherVersionIsRefused) {
  Json json = envelope_of(Go{}).to_json();
  json["v"] = kVersion + 1;
  const auto envelope = Envelope::from_json(json);
  ASSERT_FALSE(envelope);
  EXPECT_NE(envelope.error().message.find("one build"), std::string::npos);
}

TEST(Messages, UnknownRequestsAreNamed) {
  const auto decoded = decode_request({"n", 1, "format_disk", Json::object()});
  ASSERT_FALSE(decoded);
  EXPECT_NE(decoded.error().message.find("format_disk"), std::string::npos);
}

TEST(Messages, ATensorMayNotLeaveItsAllocation) {
  TensorLayout layout = example_layout();
  EXPECT_TRUE(layout_from_json(to_json(layout), "x"));
  layout.allocation_bytes = 64 + (16 + 8) * 2 - 1;
  EXPECT_FALSE(layout_from_json(to_json(layout), "x"));
  layout = example_layout();
  layout.shape = {int64_t{1} << 39, 8};
  layout.strides = {int64_t{1} << 39, 1};
  EXPECT_FALSE(layout_from_json(to_json(layout), "x"));
  layout = example_layout();
  layout.strides = {16};
  EXPECT_FALSE(layout_from_json(to_json(layout), "x"));
}

TEST(Messages, PlacementsMustMatchTheLayouts) {
  Prepare prepare{1, example_plan(), {example_layout()}, {{{3, 0}, {4, 0}}}};
  EXPECT_FALSE(Prepare::from_json(prepare.to_json()));
}

}  // namespace
}  // namespace evoke::protocol
