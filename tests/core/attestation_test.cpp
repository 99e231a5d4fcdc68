#include "evoke/core/attestation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace evoke {
namespace {

using ::testing::HasSubstr;

constexpr const char* kHash = "0123456789abcdef";

// Two layers: one step of a prompt, ten of decoding.
Attestation honest() {
  Attestation attestation;
  attestation.kernel_hash = kHash;
  attestation.device = "cpu";
  attestation.num_layers = 2;
  attestation.prompt = {2, 2, 0};
  attestation.decode = {20, 20, 0};
  attestation.dispatches = {{"decode", 20}, {"prefill", 2}};
  return attestation;
}

std::string complaint(const Attestation& attestation,
                      AttentionPhase phase = AttentionPhase::decode,
                      const std::string& hash = kHash) {
  const auto checked = check_attestation(attestation, hash, phase);
  return checked ? "" : checked.error().message;
}

TEST(Attestation, SurvivesJson) {
  Attestation attestation = honest();
  attestation.fallbacks = {{"B 1", "no variant takes it", 3}};
  attestation.copies = 4;
  const auto read = attestation_from_json(to_json(attestation));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(*read, attestation);
  EXPECT_FALSE(attestation_from_json(Json::object()));
  EXPECT_FALSE(attestation_from_json(Json::array()));
}

TEST(Attestation, BelievesWhatAddsUp) {
  EXPECT_EQ(complaint(honest()), "");
  EXPECT_EQ(complaint(honest(), AttentionPhase::prompt), "");
}

TEST(Attestation, NoticesAHookThatWasNotApplied) {
  Attestation attestation = honest();
  attestation.prompt.dispatched = attestation.decode.dispatched = 0;
  attestation.dispatches.clear();
  EXPECT_THAT(complaint(attestation),
              HasSubstr("the kernel ran 0 times, the model asked 20 times"));
}

TEST(Attestation, NoticesAHookThatWasAppliedTwice) {
  Attestation attestation = honest();
  attestation.decode.dispatched = 40;
  attestation.dispatches["decode"] = 40;
  EXPECT_THAT(complaint(attestation), HasSubstr("ran 40 times"));
  EXPECT_EQ(complaint(attestation, AttentionPhase::prompt), "");
}

TEST(Attestation, NoticesAnotherKernel) {
  EXPECT_THAT(complaint(honest(), AttentionPhase::decode, "fedcba9876543210"),
              HasSubstr("ran 01234567, not fedcba98"));
  EXPECT_THAT(complaint(honest(), AttentionPhase::decode, ""),
              HasSubstr("not no kernel"));
}

TEST(Attestation, NamesFallbacks) {
  Attestation attestation = honest();
  attestation.decode = {20, 14, 6};
  attestation.dispatches["decode"] = 14;
  attestation.fallbacks = {{"Lq 1, Lk 3..5", "no variant takes it", 6}};
  EXPECT_THAT(complaint(attestation),
              HasSubstr("6 of 20 calls fell back: 6 x (Lq 1, Lk 3..5: no "
                        "variant takes it)"));
}

TEST(Attestation, NoticesCountsThatContradictEachOther) {
  Attestation attestation = honest();
  attestation.dispatches["decode"] = 19;
  EXPECT_THAT(complaint(attestation), HasSubstr("21 dispatches by variant"));
}

TEST(Attestation, ABaselineRunsNoKernel) {
  Attestation attestation = honest();
  attestation.kernel_hash.clear();
  EXPECT_THAT(complaint(attestation, AttentionPhase::decode, ""),
              HasSubstr("there should be none"));
  attestation.prompt.dispatched = attestation.decode.dispatched = 0;
  attestation.dispatches.clear();
  EXPECT_EQ(complaint(attestation, AttentionPhase::decode, ""), "");
}

TEST(Attestation, NothingAskedProvesNothing) {
  Attestation attestation = honest();
  attestation.prompt = {};
  attestation.dispatches.erase("prefill");
  EXPECT_THAT(complaint(attestation, AttentionPhase::prompt),
              HasSubstr("no call at all"));
}

}  // namespace
}  // namespace evoke
