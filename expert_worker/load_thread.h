#pragma once

#include <absl/status/statusor.h>

#include <functional>
#include <memory>
#include <thread>

#include "common/layer_experts.h"
#include "common/queue.h"
#include "engine/expert_weights.h"

namespace apollo {

// Loads experts one after the other in a thread of its own, so that a disk
// never delays the engine. Thread-safe.
class LoadThread {
 public:
  // Called in the thread with the result of each load, in order.
  using Done = std::function<void(
      LayerExpert, absl::StatusOr<std::unique_ptr<ExpertWeights>>)>;

  // The loader must outlive the thread.
  LoadThread(ExpertLoader& loader, Done done);
  // Waits for a load in progress; later ones are dropped.
  ~LoadThread();
  LoadThread(const LoadThread&) = delete;
  LoadThread& operator=(const LoadThread&) = delete;

  void Load(LayerExpert which) { queue_.Push(which); }

 private:
  void Run();

  ExpertLoader& loader_;
  const Done done_;
  Queue<LayerExpert> queue_;
  std::thread thread_;
};

}  // namespace apollo
