#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "tools/simulate/board.h"
#include "tools/simulate/dense_node.h"
#include "tools/simulate/event_queue.h"
#include "tools/simulate/expert_node.h"
#include "tools/simulate/machine.h"
#include "tools/simulate/network.h"
#include "tools/simulate/scenario.h"
#include "tools/simulate/stats.h"
#include "tools/simulate/traffic.h"
#include "tools/simulate/wires.h"

namespace apollo::simulate {

// A simulated cluster: one router, which chooses the dense worker with the
// fewest sequences, dense workers, expert workers, their machines and links.
// The result depends only on the scenario. Single-threaded.
class Cluster : private Network, private DenseNode::Client {
 public:
  // `scenario` must outlive the cluster.
  explicit Cluster(const Scenario& scenario);

  // Runs the whole scenario. Call it once.
  void Run();

  const Stats& stats() const { return stats_; }
  std::uint64_t events() const { return events_.happened(); }
  std::int64_t bytes() const { return wires_.bytes(); }
  // The share of the time for which each worker computed, or would have with
  // processors of its own: above 1 together if they share processors.
  std::vector<double> DenseUse() const;
  std::vector<double> ExpertUse() const;
  // Sequences that have not ended.
  int Running() const;

 private:
  // Network:
  void SendStep(int worker, StepPart part) override;
  void SendRelease(int dense, int worker, std::uint64_t sequence) override;
  void SendResult(int worker, StepPart part) override;
  void SendGuests(int to, Guests guests) override;
  void SendOutputs(int worker, Guests guests) override;
  // DenseNode::Client:
  void OnToken(const Request& request, int index) override;
  void OnEnd(const Request& request, int dense, bool ok) override;

  Machine& MachineOf(int process);
  void Take(const Request& request);
  // Calls `deliver` with the worker when a message of so many bytes arrives
  // there, unless the worker is lost then, or was since.
  template <typename F>
  void ToExpert(std::size_t from, int worker, std::int64_t bytes, F deliver);
  std::int64_t BytesOf(int rows) const;
  void Report(int worker);
  void CountHolders();
  void Lose(int worker);
  void Notice(int worker);
  bool Counts() const;

  const Scenario& scenario_;
  EventQueue events_;
  Stats stats_;
  Board board_;
  Wires wires_;  // Dense workers, then expert workers.
  std::vector<std::unique_ptr<Machine>> machines_;
  std::vector<std::unique_ptr<DenseNode>> dense_;
  std::vector<std::unique_ptr<ExpertNode>> expert_;
  std::vector<int> running_;  // By dense worker, as the router counts.
  std::unordered_map<std::uint64_t, Time> last_token_;
  Traffic traffic_;
};

}  // namespace apollo::simulate
