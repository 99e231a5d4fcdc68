// How close a search comes to the best that there is, beside random draws.
//
//   search_quality [LANDSCAPES]
//
// Genomes of eight genes with six choices each (1.7 million); a fifth of them
// fail, measurements are off by 1 % (one sigma). The optimum is computed.
// Random search is flattered: it is told the truth about what it drew.
#include <fmt/format.h>

#include <cmath>
#include <cstdio>
#include <string>

#include "tests/evolution/search_contest.h"

namespace evoke {
namespace {

using simulation::Genes;
using simulation::Landscape;

// The greatest log fitness. Only neighbours interact, so what is best up to
// a gene depends on that gene alone. Genomes that fail count as if they did
// not: the true optimum may be lower.
double optimum(const Landscape& landscape) {
  const auto choices = static_cast<std::size_t>(landscape.num_choices);
  std::vector<double> best(choices);
  for (std::size_t g = 0; g < choices; ++g) {
    best[g] = landscape.log_fitness({static_cast<int>(g)});
  }
  for (int i = 1; i < simulation::kContestGenes; ++i) {
    std::vector<double> next(choices, -1e9);
    for (std::size_t a = 0; a < choices; ++a) {
      Genes genes(static_cast<std::size_t>(i), 0);
      genes.back() = static_cast<int>(a);
      const double before = landscape.log_fitness(genes);
      genes.push_back(0);
      for (std::size_t b = 0; b < choices; ++b) {
        genes.back() = static_cast<int>(b);
        next[b] =
            std::max(next[b], best[a] + landscape.log_fitness(genes) - before);
      }
    }
    best = next;
  }
  return *std::max_element(best.begin(), best.end());
}

struct Contestant {
  const char* name;
  int workers;
  int islands;
};

constexpr Contestant kContestants[] = {{"1 worker, 3 islands", 1, 3},
                                       {"8 workers, 3 islands", 8, 3},
                                       {"8 workers, 1 island", 8, 1}};

void print_row(int64_t judged, const std::string& name,
               const std::vector<double>& gaps,
               const std::vector<double>& random) {
  int wins = 0;
  for (std::size_t i = 0; i < gaps.size(); ++i) wins += gaps[i] < random[i];
  std::vector<double> sorted = gaps;
  std::sort(sorted.begin(), sorted.end());
  const auto percent = [&](double share) {
    const auto last = static_cast<double>(sorted.size() - 1);
    const double gap = sorted[static_cast<std::size_t>(share * last)];
    return 100 * (1 - std::exp(-gap));
  };
  fmt::print("{:>7} {:<22} {:>8.1f} {:>8.1f} {:>8.1f} {:>13}\n", judged, name,
             percent(0.1), percent(0.5), percent(0.9),
             &gaps == &random ? "" : fmt::format("{}/{}", wins, gaps.size()));
}

void run(uint64_t landscapes) {
  fmt::print("percent slower than the optimum, over {} landscapes\n",
             landscapes);
  fmt::print("{:>7} {:<22} {:>8} {:>8} {:>8} {:>13}\n", "judged", "",
             "best 10%", "median", "worst 10%", "beats random");
  for (const int64_t judged : {60, 250, 1000}) {
    std::vector<double> best;
    std::vector<double> random;
    for (uint64_t seed = 1; seed <= landscapes; ++seed) {
      const Landscape landscape = simulation::contest_landscape(seed);
      best.push_back(optimum(landscape));
      random.push_back(best.back() - simulation::drawn(landscape, judged));
    }
    print_row(judged, "random draws", random, random);
    for (const Contestant& contestant : kContestants) {
      std::vector<double> gaps;
      for (uint64_t seed = 1; seed <= landscapes; ++seed) {
        auto config = simulation::small_config(seed, contestant.workers);
        config.budget.iterations = judged;
        config.population.islands.count = contestant.islands;
        gaps.push_back(
            best[seed - 1] -
            simulation::searched(simulation::contest_landscape(seed), config));
      }
      print_row(judged, contestant.name, gaps, random);
    }
  }
}

}  // namespace
}  // namespace evoke

int main(int argc, char** argv) try {
  evoke::run(argc > 1 ? std::stoull(argv[1]) : 101);
  return 0;
} catch (const std::exception& error) {
  fmt::print(stderr, "search_quality: {}\n", error.what());
  return 1;
}
