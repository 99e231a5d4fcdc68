// Who may use the machine's processor or accelerator now, between threads,
// evaluators and processes: many at work, or one that takes times.
//
// Compiling, gating and starting runners is shared work; timing is exclusive.
// On the cpu device that stops every compiler, gate and reference of ours
// while somebody measures. An exclusive claim that waits lets no new shared
// work begin, so it waits for what runs and not for ever.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "evoke/base/error.h"
#include "evoke/base/fd.h"

namespace evoke::judge {

// Where lock files live: $XDG_RUNTIME_DIR/evoke, or /tmp/evoke-UID.
std::string runtime_folder();

class DeviceLock {
 public:
  // "cpu" -> FOLDER/cpu.lock. The folder is made, for this user alone.
  static Result<DeviceLock> open(const std::string& folder,
                                 const std::string& device);

  // Held until it is destroyed.
  class Claim {
   public:
    Claim() = default;
    explicit Claim(Fd fd) : fd_(std::move(fd)) {}

   private:
    Fd fd_;
  };

  // Empty only when `stop` said so while waiting. A process that was stopped
  // or stuck while it holds a claim is waited for.
  std::optional<Claim> share(const std::function<bool()>& stop) const;
  std::optional<Claim> claim(const std::function<bool()>& stop) const;

  // Whether a claim waits for shared work to end.
  bool claim_waits() const;
  // Whether somebody waits for a share through this object.
  bool shares_wait() const { return *waiting_shares_ > 0; }

  const std::string& path() const { return path_; }

 private:
  explicit DeviceLock(std::string path) : path_(std::move(path)) {}
  std::optional<Claim> acquire(bool exclusive,
                               const std::function<bool()>& stop) const;
  std::string path_;
  std::shared_ptr<std::atomic<int>> waiting_shares_ =
      std::make_shared<std::atomic<int>>(0);
};

}  // namespace evoke::judge
