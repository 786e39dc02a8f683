#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>

#include "router/backend.h"
#include "sequence/generation.h"

namespace apollo {

// The dense workers of a cluster, as what runs sequences again after a failure
// needs them: it must know which worker has failed, and can exclude it.
class WorkerPool : public RouterBackend {
 public:
  // Starts a sequence as Start does, on a worker that is not in `avoid`. Calls
  // `chosen` with the name of the worker in this pool before the sequence
  // starts. If no worker can take the sequence, does not call it, and finishes
  // the sink with UNAVAILABLE. Thread-safe.
  virtual std::unique_ptr<GenerationCall> StartElsewhere(
      GenerationRequest request, std::shared_ptr<GenerationSink> sink,
      const std::set<std::string>& avoid,
      const std::function<void(const std::string& worker)>& chosen) = 0;

  // Takes a worker for lost until it has been heard of again: a sequence on it
  // was lost. Ignores unknown names. Thread-safe.
  virtual void Suspect(const std::string& worker) = 0;
};

}  // namespace apollo
