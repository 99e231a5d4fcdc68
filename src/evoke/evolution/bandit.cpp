#include "evoke/evolution/bandit.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <utility>

namespace evoke {

Bandit::Bandit(std::vector<std::string> arms, BanditConfig config,
               std::vector<double> weights)
    : arms_(std::move(arms)),
      config_(config),
      weights_(std::adjacent_find(weights.begin(), weights.end(),
                                  std::not_equal_to<>()) == weights.end()
                   ? std::vector<double>()
                   : std::move(weights)) {}

std::size_t Bandit::index_of(std::string_view arm) const {
  const auto found = std::find(arms_.begin(), arms_.end(), arm);
  return static_cast<std::size_t>(found - arms_.begin());
}

std::vector<Bandit::ArmState> Bandit::state() const {
  // Added up afresh each time: a running sum would drift.
  std::vector<ArmState> arms(arms_.size());
  for (const Pull& pull : window_) {
    ArmState& arm = arms[pull.arm];
    ++arm.pulls;
    arm.reward += pull.reward;
    arm.cost += pull.cost;
  }
  return arms;
}

std::size_t Bandit::any(const std::vector<std::size_t>& open, Rng& rng) const {
  if (weights_.empty()) return rng.pick(open);
  double total = 0;
  for (const std::size_t arm : open) total += weights_[arm];
  double share = rng.uniform() * total;
  for (const std::size_t arm : open) {
    share -= weights_[arm];
    if (share < 0) return arm;
  }
  return open.back();
}

std::size_t Bandit::choose(const std::vector<int>& in_flight, Rng& rng,
                           const std::vector<bool>& open) const {
  std::vector<std::size_t> choices;
  for (std::size_t i = 0; i < arms_.size(); ++i) {
    if (open.empty() || open[i]) choices.push_back(i);
  }
  if (rng.chance(config_.uniform)) return any(choices, rng);
  const std::vector<ArmState> arms = state();
  double all_cost = 0;
  for (const ArmState& arm : arms) all_cost += arm.cost;
  const double mean_cost =
      window_.empty() ? 0 : all_cost / static_cast<double>(window_.size());
  const double least_cost = config_.least_cost_share * mean_cost;

  std::vector<double> rates(arms.size(), 0.0);
  std::vector<double> pulls(arms.size(), 0.0);
  double best_rate = 0;
  double all_pulls = 0;
  for (std::size_t i = 0; i < arms.size(); ++i) {
    pulls[i] = arms[i].pulls;
    if (i < in_flight.size()) pulls[i] += in_flight[i];
    all_pulls += pulls[i];
    // Pulls in flight cost what pulls cost on average.
    const double cost = std::max(arms[i].cost, arms[i].pulls * least_cost) +
                        (pulls[i] - arms[i].pulls) * mean_cost;
    if (arms[i].reward > 0) {
      rates[i] = arms[i].reward / std::max(cost, 1e-9);
    }
    best_rate = std::max(best_rate, rates[i]);
  }

  double best_bound = -1;
  std::vector<std::size_t> best;
  for (const std::size_t i : choices) {
    const double mean = best_rate > 0 ? rates[i] / best_rate : 0;
    const double width =
        config_.exploration * std::sqrt(std::log(1 + all_pulls) / pulls[i]);
    // An arm never pulled has no bound at all.
    const double bound =
        pulls[i] > 0 ? mean + width : std::numeric_limits<double>::infinity();
    if (bound > best_bound) best.clear();
    if (bound >= best_bound) {
      best_bound = bound;
      best.push_back(i);
    }
  }
  return rng.pick(best);
}

void Bandit::update(std::string_view arm, double reward, double cost) {
  const std::size_t index = index_of(arm);
  if (index == arms_.size()) return;
  const auto usable = [](double value) {
    return value > 0 && std::isfinite(value) ? value : 0;
  };
  window_.push_back({index, usable(reward), usable(cost)});
  if (window_.size() > config_.window) window_.pop_front();
}

void Bandit::add_to(Fingerprint& fingerprint) const {
  fingerprint.add(window_.size());
  for (const Pull& pull : window_) {
    fingerprint.add(pull.arm);
    fingerprint.add(pull.reward);
    fingerprint.add(pull.cost);
  }
}

}  // namespace evoke
