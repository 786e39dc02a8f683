#pragma once

#include <cstdint>

#include "tools/simulate/messages.h"

namespace apollo::simulate {

// The links between workers: each function delivers its message later. Messages
// to a worker that is lost disappear.
class Network {
 public:
  virtual ~Network() = default;
  // From a dense worker to an expert worker.
  virtual void SendStep(int worker, StepPart part) = 0;
  virtual void SendRelease(int dense, int worker, std::uint64_t sequence) = 0;
  // The answer of an expert worker to a part: the same slices.
  virtual void SendResult(int worker, StepPart part) = 0;
  // Rows for an expert of the worker `to`, and their outputs.
  virtual void SendGuests(int to, Guests guests) = 0;
  virtual void SendOutputs(int worker, Guests guests) = 0;
};

}  // namespace apollo::simulate
