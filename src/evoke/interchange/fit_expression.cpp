#include "evoke/interchange/fit_expression.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

namespace evoke {
namespace {

class Fitter {
 public:
  Fitter(std::span<const Symbols> samples, const std::vector<int64_t>& values,
         const FitOptions& options)
      : samples_(samples), values_(values), options_(options) {
    letters_ = {"Hq", "Hkv", "D"};
    if (!options.compile_time_only) {
      letters_ = {"B", "Hq", "Hkv", "Lq", "Lk", "D"};
    }
  }

  Result<Expression> run() {
    if (samples_.empty() || samples_.size() != values_.size()) {
      return absent("no samples");
    }
    const std::string number = std::to_string(values_.front());
    if (!options_.heads_vary && fits(number)) return found_;
    for (const std::string& letter : letters_) {
      if (fits(letter)) return found_;
    }
    if (fits(number) || fits("Hq / Hkv")) return found_;
    if (try_products() || try_with_numbers()) return found_;
    return absent(
        fmt::format("no size expression gives {}", fmt::join(values_, ", ")));
  }

 private:
  bool fits(const std::string& text) {
    const auto parsed = Expression::parse(text);
    if (!parsed) return false;
    for (std::size_t i = 0; i < samples_.size(); ++i) {
      const auto value = parsed->evaluate(samples_[i]);
      if (!value || *value != values_[i]) return false;
    }
    found_ = *parsed;
    return true;
  }

  bool try_products() {
    for (std::size_t i = 0; i < letters_.size(); ++i) {
      for (std::size_t j = i; j < letters_.size(); ++j) {
        const std::string pair = letters_[i] + " * " + letters_[j];
        if (fits(pair)) return true;
        for (std::size_t k = j; k < letters_.size(); ++k) {
          if (fits(pair + " * " + letters_[k])) return true;
        }
      }
    }
    return fits("B * Hq * Lq * D") || fits("B * Hkv * Lk * D");
  }

  // Numbers that programs use for tiles, and those seen here.
  std::set<int64_t> numbers() const {
    std::set<int64_t> numbers(values_.begin(), values_.end());
    for (int64_t power = 2; power <= 4096; power *= 2) numbers.insert(power);
    return numbers;
  }

  bool try_with_numbers() {
    const std::set<int64_t> numbers = this->numbers();
    for (const std::string& letter : letters_) {
      for (const int64_t number : numbers) {
        if (number <= 0) continue;
        for (const char* form :
             {"min({1}, {0})", "max({1}, {0})", "{0} * {1}", "{0} / {1}",
              "ceil_div({0}, {1})", "align_up({0}, {1})", "{0} + {1}"}) {
          if (fits(fmt::format(fmt::runtime(form), letter, number))) {
            return true;
          }
        }
        // A grid of whole threadgroups, and one over minima.
        if (fits(fmt::format("ceil_div({0}, min({1}, {0}))", letter, number))) {
          return true;
        }
        for (const int64_t other : numbers) {
          if (other > 1 && fits(fmt::format("ceil_div({}, {}) * {}", letter,
                                            number, other))) {
            return true;
          }
        }
        for (const std::string& other : letters_) {
          if (fits(fmt::format("ceil_div({}, {}) * {}", letter, number,
                               other))) {
            return true;
          }
        }
      }
    }
    return false;
  }

  std::span<const Symbols> samples_;
  const std::vector<int64_t>& values_;
  FitOptions options_;
  std::vector<std::string> letters_;
  Expression found_;
};

}  // namespace

Result<Expression> fit_expression(std::span<const Symbols> samples,
                                  const std::vector<int64_t>& values,
                                  const FitOptions& options) {
  return Fitter(samples, values, options).run();
}

}  // namespace evoke
