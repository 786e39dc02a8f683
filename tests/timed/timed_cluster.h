#pragma once

#include <absl/time/time.h>

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/layer_experts.h"
#include "dense_worker/dense_core.h"
#include "dense_worker/routing_log.h"
#include "expert_worker/expert_core.h"
#include "tests/timed/timed_dense_stage.h"
#include "tests/timed/timed_expert_stage.h"
#include "tests/timed/virtual_time.h"

namespace apollo {

// The events of one sequence with their times.
class TimedSink final : public GenerationSink {
 public:
  explicit TimedSink(const Clock& clock)
      : clock_(clock), submitted(clock.Now()) {}
  void OnStarted(const GenerationStarted& started) override;
  void OnToken(const GeneratedToken& token) override;
  void OnFinished(absl::StatusOr<GenerationFinished> finished) override;

 private:
  const Clock& clock_;

 public:
  const absl::Duration submitted;
  std::string first_worker;  // The expert worker that it began on.
  std::vector<std::int32_t> tokens;
  std::vector<absl::Duration> times;  // Of the tokens.
  bool finished = false;
  absl::Status status;
};

// Real cores of dense and expert workers on stages that take virtual time, with
// links of a fixed latency. Deterministic, however fast the machine is: shows
// what the policies of the cluster do with its capacity. Single-threaded.
class TimedCluster {
 public:
  struct Options {
    int dense_workers = 1;
    // The experts of each expert worker.
    std::vector<LayerExperts> experts = {LayerExperts{0, 1, 2, 3, 4, 5, 6}};
    DenseCost dense_cost;
    ExpertCost expert_cost;
    absl::Duration latency = absl::Microseconds(100);
    // A broken connection is noticed after this time.
    absl::Duration detection = absl::Milliseconds(1);
    DenseCore::Options dense;
    ExpertCore::Options expert;
    int blocks = 4096;
    // The time to load an expert of a layer.
    absl::Duration load_time = absl::Milliseconds(500);
  };

  // The model of the stages: two dense and two sparse layers of seven experts.
  static const ModelConfig& Config();

  // `time` must outlive the cluster.
  TimedCluster(Options options, VirtualTime& time);
  ~TimedCluster();

  // Starts a sequence on a dense worker.
  std::shared_ptr<TimedSink> Submit(int dense, GenerationRequest request);

  // Ends a worker and its links at once.
  void KillExpert(int index);
  // A frozen worker does nothing and hears nothing until it goes on.
  void FreezeExpert(int index);
  void ThawExpert(int index);
  // Frames between a dense and an expert worker, or between two expert workers,
  // take this time longer, in each direction, from now on.
  void SlowDown(int dense, int expert, absl::Duration delay);
  void SlowDownPeers(int expert, int peer, absl::Duration delay);

  DenseCore& dense(int index);
  ExpertCore& expert(int index);
  // Returns the number of expert workers that have the expert resident in all
  // layers.
  int Holders(int expert) const;
  // The time during which the device of an expert worker worked.
  absl::Duration Worked(int expert) const;

 private:
  class Node;
  class Connection;
  class TimedLink;
  struct DenseNode;
  struct ExpertNode;

  static std::size_t Index(int index) {
    return static_cast<std::size_t>(index);
  }
  void Join(Node& from, Node& to);
  void SlowDown(const Node& from, const Node& to, absl::Duration delay);
  void TickLater(Node& node);

  const Options options_;
  VirtualTime& time_;
  std::vector<std::unique_ptr<DenseNode>> dense_;
  std::vector<std::unique_ptr<ExpertNode>> expert_;
  std::vector<std::shared_ptr<Connection>> connections_;
  std::uint64_t next_ = 1;
};

}  // namespace apollo
