#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <unordered_map>
#include <vector>

#include "engine/block_pool.h"
#include "engine/scheduler.h"
#include "tools/simulate/board.h"
#include "tools/simulate/event_queue.h"
#include "tools/simulate/machine.h"
#include "tools/simulate/messages.h"
#include "tools/simulate/network.h"
#include "tools/simulate/peer_loads.h"
#include "tools/simulate/scenario.h"
#include "tools/simulate/stats.h"

namespace apollo::simulate {

// A dense worker: the scheduler and the cache of the real one
// (engine/scheduler.h), and the real choice of expert workers, over simulated
// stages and links. All references must outlive it. Single-threaded.
class DenseNode {
 public:
  // Receives the tokens of requests, and their ends.
  class Client {
   public:
    virtual ~Client() = default;
    virtual void OnToken(const Request& request, int index) = 0;
    virtual void OnEnd(const Request& request, int dense, bool ok) = 0;
  };

  DenseNode(int index, const Scenario& scenario, EventQueue& events,
            Machine& machine, const Board& board, Network& network,
            Client& client, Stats& stats);

  void Submit(const Request& request);
  void TakeResult(int worker, const StepPart& part);
  // Handles the loss of an expert worker: its sequences go on elsewhere, from
  // the rows in the cache.
  void LoseWorker(int worker);

  // The time of its work on threads that have processors of their own.
  Time worked() const { return worked_; }
  int running() const { return static_cast<int>(sequences_.size()); }

 private:
  struct Sequence {
    Request request;
    int worker = 0;
    int attempt = 0;
    int tokens = 0;       // Of the answer.
    int sent = 0;         // Rows that its worker has got.
    int computed = 0;     // Rows that were ever computed here.
    bool awaits = false;  // A token from its worker.
    int given_rows = 0;
    std::uint64_t given = 0;  // See PeerLoads::Give.
  };
  struct Step {
    std::map<int, int> parts;  // Unanswered, by worker.
  };

  std::optional<int> Place(Sequence& sequence, int rows);
  void Leave(const Sequence& sequence);
  void Advance();
  void FinishStep(const Scheduler::Step& step);
  void TakeSlice(const RowSlice& slice);
  // Ends a sequence on its worker, and here; Forget only here.
  void End(std::uint64_t id, bool ok);
  void Forget(std::uint64_t id, bool ok);
  void Answered(std::uint64_t step, int worker);
  void Move(std::uint64_t id);

  const int index_;
  const Scenario& scenario_;
  EventQueue& events_;
  Machine& machine_;
  const Board& board_;
  Network& network_;
  Client& client_;
  Stats& stats_;
  BlockPool blocks_;
  Scheduler scheduler_;
  std::unordered_map<std::uint64_t, Sequence> sequences_;
  std::vector<int> on_worker_;  // Sequences.
  PeerLoads loads_;
  std::map<std::uint64_t, Step> steps_;  // In flight.
  std::uint64_t next_step_ = 1;
  bool at_work_ = false;
  Time worked_ = 0;
};

}  // namespace apollo::simulate
