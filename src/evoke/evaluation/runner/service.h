// What a runner does with each request. One device or one baseline, calls by
// number; no clock, no expected answer, no decision.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "evoke/base/error.h"
#include "evoke/base/fd.h"
#include "evoke/base/json.h"
#include "evoke/baselines/baseline.h"
#include "evoke/devices/device.h"
#include "evoke/evaluation/protocol/channel.h"
#include "evoke/evaluation/protocol/messages.h"
#include "evoke/evaluation/runner/buffers.h"

namespace evoke::runner {

class Service {
 public:
  // `baseline` may be null, and the parts of `device` too.
  Service(protocol::Greeting greeting, Device device,
          std::unique_ptr<Baseline> baseline);

  // Answers until the judge closes the connection (then returns nothing) or
  // breaks the protocol.
  Result<void> serve(protocol::Channel& channel);

 private:
  template <typename T>
  Result<Json> answer(const T& request);
  Result<Json> dispatch(const protocol::Envelope& envelope);

  Result<protocol::Greeting> handle(const protocol::Hello& request);
  Result<protocol::Compiled> handle(const protocol::Compile& request);
  Result<protocol::Done> handle(const protocol::AddBuffer& request);
  Result<protocol::Done> handle(const protocol::DropBuffer& request);
  Result<protocol::Done> handle(const protocol::WriteBuffer& request);
  Result<protocol::BufferContent> handle(const protocol::ReadBuffer& request);
  Result<protocol::Loaded> handle(const protocol::Load& request);
  Result<protocol::Done> handle(const protocol::Unload& request);
  Result<protocol::Prepared> handle(const protocol::Prepare& request);
  Result<protocol::Prepared> handle(const protocol::PrepareBaseline& request);
  Result<protocol::Done> handle(const protocol::Release& request);
  Result<protocol::Done> handle(const protocol::Stage& request);
  Result<protocol::Ran> handle(const protocol::Go& request);
  Result<protocol::Digests> handle(const protocol::Digest& request);
  Result<protocol::Collected> handle(const protocol::Collect& request);
  Result<protocol::MachineRates> handle(const protocol::Measure& request);

  protocol::Greeting greeting_;
  Device device_;
  std::unique_ptr<Baseline> baseline_;
  Buffers buffers_;
  std::string nonce_;
  std::vector<Fd> descriptors_;  // of the request being answered
  // Of every call of the device: what it may write, and what of that has to
  // last from run to run.
  struct CallPlaces {
    std::vector<Buffers::Place> all;
    std::vector<Buffers::Place> lasting;
  };
  static CallPlaces places_of(const protocol::Prepare& request,
                              const protocol::Placements& placements);
  Result<void> isolate(const std::vector<CallId>& calls);
  std::map<CallId, CallPlaces> places_;
  std::vector<CallId> staged_;
  bool collect_ = false;
  bool staged_now_ = false;  // the next request is probably a Go
};

}  // namespace evoke::runner
