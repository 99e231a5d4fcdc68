#include "evoke/evaluation/judge/runner_pool.h"

#include <algorithm>
#include <future>
#include <utility>
#include <vector>

namespace evoke::judge {

using Kind = RunnerFault::Kind;

namespace {

// Spares are started so many at a time that this many times make all. Nothing
// is timed meanwhile, and a GPU's driver takes 0.3 s for one, 0.8 for four.
constexpr int kBatches = 2;

}  // namespace

RunnerPool::RunnerPool(RunnerPoolOptions options)
    : options_(std::move(options)), thread_([this] { work(); }) {}

RunnerPool::~RunnerPool() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void RunnerPool::keep_spares(const RunnerSpec& spec, int count) {
  const std::lock_guard lock(mutex_);
  wanted_[spec] = count;
  broken_.erase(spec);
  changed_.notify_all();
}

void RunnerPool::keep_one_less(const RunnerSpec& spec, int least) {
  const std::lock_guard lock(mutex_);
  const auto wanted = wanted_.find(spec);
  if (wanted != wanted_.end() && wanted->second > least) --wanted->second;
}

std::shared_ptr<Runner> RunnerPool::take_spare(const RunnerSpec& spec) {
  const std::lock_guard lock(mutex_);
  std::erase_if(handed_out_, [](const auto& each) { return each.expired(); });
  auto& ready = spares_[spec];
  if (ready.empty() || cancelled_) return nullptr;
  std::shared_ptr<Runner> runner = std::move(ready.front());
  ready.pop_front();
  handed_out_.push_back(runner);
  changed_.notify_all();
  return runner;
}

RunnerResult<std::shared_ptr<Runner>> RunnerPool::take(const RunnerSpec& spec,
                                                       Starting starting) {
  if (auto spare = take_spare(spec)) return spare;
  std::optional<DeviceLock::Claim> share;
  if (options_.device_lock && starting == Starting::in_a_share) {
    share = options_.device_lock->share([this] {
      const std::lock_guard again(mutex_);
      return cancelled_ || stopping_;
    });
    if (!share) return fault(Kind::cancelled, "cancelled");
    if (auto spare = take_spare(spec)) return spare;
  }
  std::unique_lock lock(mutex_);
  const auto order = std::make_shared<Order>();
  order->spec = spec;
  orders_.push_back(order);
  changed_.notify_all();
  changed_.wait(lock, [&] { return order->done || cancelled_ || stopping_; });
  if (!order->done) {
    std::erase(orders_, order);
    return fault(Kind::cancelled, "cancelled");
  }
  if (!order->runner) return order->runner;
  const std::shared_ptr<Runner> runner = *order->runner;
  lock.unlock();
  if (auto greeted = runner->greet(); !greeted) return fault_of(greeted);
  return runner;
}

void RunnerPool::cancel() {
  std::vector<std::shared_ptr<Runner>> alive;
  {
    const std::lock_guard lock(mutex_);
    cancelled_ = true;
    for (const auto& each : handed_out_) {
      if (auto runner = each.lock()) alive.push_back(std::move(runner));
    }
    changed_.notify_all();
  }
  for (const auto& runner : alive) runner->cancel();
}

void RunnerPool::resume() {
  const std::lock_guard lock(mutex_);
  cancelled_ = false;
  changed_.notify_all();
}

int RunnerPool::num_started() const {
  const std::lock_guard lock(mutex_);
  return num_started_;
}

std::optional<std::pair<RunnerSpec, int>> RunnerPool::missing_spares() const {
  for (const auto& [spec, wanted] : wanted_) {
    if (broken_.contains(spec)) continue;
    const auto found = spares_.find(spec);
    const int have =
        found == spares_.end() ? 0 : static_cast<int>(found->second.size());
    const int batch = std::max(wanted / kBatches, 1);
    if (wanted - have >= batch) return std::pair(spec, batch);
  }
  return std::nullopt;
}

RunnerResult<std::shared_ptr<Runner>> RunnerPool::start(
    const RunnerSpec& spec) {
  auto runner = Runner::start(options_.program, spec, options_.limits,
                              options_.shared_memory);
  if (!runner) return fault_of(runner);
  return std::shared_ptr<Runner>(std::move(*runner));
}

// All under one share, and what takes long at a time.
void RunnerPool::start_spares(const RunnerSpec& spec, int count) {
  std::optional<DeviceLock::Claim> share;
  if (options_.device_lock) {
    share = options_.device_lock->share([this] {
      const std::lock_guard again(mutex_);
      return stopping_ || !orders_.empty();
    });
    if (!share) return;
  }
  using Started = RunnerResult<std::shared_ptr<Runner>>;
  std::vector<std::future<Started>> greeting;
  for (int i = 0; i < count; ++i) {
    greeting.push_back(
        std::async(std::launch::async, [started = start(spec)]() -> Started {
          if (!started) return started;
          if (auto greeted = (*started)->greet(); !greeted) {
            return fault_of(greeted);
          }
          return started;
        }));
  }
  for (auto& each : greeting) {
    Started runner = each.get();
    const std::lock_guard lock(mutex_);
    if (runner) {
      ++num_started_;
      spares_[spec].push_back(std::move(*runner));
      changed_.notify_all();
    } else if (runner.error().kind != Kind::cancelled) {
      broken_.insert(spec);  // take() will say what is wrong
    }
  }
}

void RunnerPool::work() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (!orders_.empty()) {
      const std::shared_ptr<Order> order = orders_.front();
      orders_.pop_front();
      lock.unlock();
      auto runner = start(order->spec);
      lock.lock();
      ++num_started_;
      if (runner) handed_out_.push_back(*runner);
      order->runner = std::move(runner);
      order->done = true;
      changed_.notify_all();
    } else if (const auto missing = missing_spares(); missing && !cancelled_) {
      lock.unlock();
      start_spares(missing->first, missing->second);
      lock.lock();
    } else {
      changed_.wait(lock);
    }
  }
  for (const auto& order : orders_) {
    order->done = true;
  }
  orders_.clear();
  changed_.notify_all();
}

}  // namespace evoke::judge
