#include "evoke/attention/kernel_mutants.h"

#include <gtest/gtest.h>

#include <map>
#include <regex>
#include <set>
#include <string>

#include "evoke/attention/mutants.h"
#include "evoke/base/fd.h"

namespace evoke::attention {
namespace {

constexpr const char* kMemoryFaults = "nothing is written";

std::string text_of(Dialect dialect) {
  auto text =
      read_file(std::string(EVOKE_KERNELS_FOLDER) + "/mutants/attention" +
                std::string(file_suffix(dialect)));
  if (!text) throw std::runtime_error(text.error().message);
  return std::move(*text);
}

KernelSource source_of(Dialect dialect) {
  auto source = KernelSource::parse(text_of(dialect), dialect, "mutants");
  if (!source) throw std::runtime_error(source.error().message);
  return std::move(*source);
}

// `constexpr int kName = 204;  // drop the partial tile`, by number.
std::map<int, std::string> numbered(const std::string& text) {
  static const std::regex kEntry(
      R"(constexpr int k\w+ =\s+(\d+); +// ([^\n]+)\n)");
  std::map<int, std::string> entries;
  for (auto it = std::sregex_iterator(text.begin(), text.end(), kEntry);
       it != std::sregex_iterator(); ++it) {
    EXPECT_TRUE(entries.emplace(std::stoi((*it)[1]), (*it)[2]).second);
  }
  return entries;
}

TEST(KernelMutants, HaveTheNumbersAndNamesOfTheFiles) {
  std::map<int, std::string> listed;
  for (const KernelMutant& each : kernel_mutants(Dialect::cuda)) {
    EXPECT_TRUE(listed
                    .emplace(static_cast<int>(100 * each.family + each.mutant),
                             each.name)
                    .second);
  }
  EXPECT_EQ(listed, numbered(text_of(Dialect::cuda)));
  EXPECT_EQ(listed, numbered(text_of(Dialect::cpu)));
}

// What the fault is does not depend on the dialect.
TEST(KernelMutants, AreTheSameTextInBothDialects) {
  const auto shared = [](const std::string& text) {
    const auto faults = text.find("- Faults\n");
    const auto dialect = text.find("- The dialect\n");
    const auto kernel = text.find("- The kernel\n");
    EXPECT_LT(faults, dialect);
    EXPECT_LT(dialect, kernel);
    EXPECT_NE(kernel, std::string::npos);
    return text.substr(faults, dialect - faults) + text.substr(kernel);
  };
  EXPECT_EQ(shared(text_of(Dialect::cpu)), shared(text_of(Dialect::cuda)));
}

TEST(KernelMutants, AreEmulatedOnesUnlessTheyAreAboutMemory) {
  std::set<std::string> emulated;
  for (auto make : {known_mutants, blind_mutants}) {
    for (const Mutant& each : make()) emulated.insert(each.name);
  }
  int count = 0;
  bool memory = false;
  for (const KernelMutant& each : kernel_mutants(Dialect::cuda)) {
    EXPECT_FALSE(each.description.empty()) << each.name;
    memory = memory || each.name == kMemoryFaults;
    if (each.honest) continue;
    EXPECT_EQ(emulated.contains(each.name), !memory) << each.name;
    ++count;
  }
  EXPECT_TRUE(memory);
  EXPECT_GE(count, 100);
  EXPECT_LT(kernel_mutants(Dialect::cpu).size(),
            kernel_mutants(Dialect::cuda).size());
}

TEST(KernelMutants, AreChosenByParameters) {
  for (const Dialect dialect : {Dialect::cpu, Dialect::cuda}) {
    const KernelSource file = source_of(dialect);
    std::set<std::string> hashes;
    for (const KernelMutant& each : kernel_mutants(dialect)) {
      const auto kernel = with_mutant(file, each);
      ASSERT_TRUE(kernel) << kernel.error().message;
      const KernelPlan& plan = kernel->plan();
      EXPECT_EQ(plan.find_parameter("family")->value, each.family);
      EXPECT_EQ(plan.find_parameter("mutant")->value, each.mutant);
      EXPECT_TRUE(hashes.insert(kernel->hash()).second) << each.name;
    }
    KernelMutant none;
    none.mutant = 99;
    EXPECT_FALSE(with_mutant(file, none));
  }
}

}  // namespace
}  // namespace evoke::attention
