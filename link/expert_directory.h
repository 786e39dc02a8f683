#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "link/link_session.h"
#include "link/worker_info.h"

namespace apollo {

// The layers after the boundary, numbered as in the model, and the experts of
// each: none in a dense model.
struct SparseShape {
  int first_layer = 0;
  int end_layer = 0;  // After the last.
  int num_experts = 0;
};

// The descriptions that expert workers send, and queries on them: which workers
// can compute an expert, accept sequences, or have the least load. Dense
// workers use it to place sequences, expert workers to choose the peer that
// computes rows.
//
// The load of a worker is its last report plus the work assigned to it since.
// Workers report their load a few times a second; without the second part, all
// work between two reports would go to the same worker.
//
// Link ids must have been added by Update, unless a function says otherwise.
// Single-threaded.
class ExpertDirectory {
 public:
  // `shape` has the layers and experts that a worker must reach to accept
  // sequences.
  explicit ExpertDirectory(const SparseShape& shape = {}) : shape_(shape) {}
  // Movable, not copyable: workers point to their processes.
  ExpertDirectory(ExpertDirectory&&) = default;
  ExpertDirectory(const ExpertDirectory&) = delete;

  // Returns the number of experts of each layer.
  int experts() const { return shape_.num_experts; }

  // Takes a worker's description, unless its revision is not newer than the
  // last. Workers that are not ready hold and reach nothing. Returns true if it
  // was taken.
  bool Update(LinkId id, const WorkerInfo& info);
  // These two ignore unknown ids.
  void Remove(LinkId id);
  // Sets whether a worker has left the list of workers. A leaving worker counts
  // as draining.
  void SetLeaving(LinkId id, bool leaving);

  // Work that this process gives to a worker counts as its load from Assign
  // until the worker's next report, or until Withdraw, when it is done or taken
  // back. `key` identifies it among the work of this worker. Ignore unknown ids
  // and keys.
  struct Work {
    int sequences = 0;
    std::int64_t rows = 0;
  };
  void Assign(LinkId id, std::uint64_t key, const Work& work);
  void Withdraw(LinkId id, std::uint64_t key);

  // Returns the worker's last description.
  const WorkerInfo& info(LinkId id) const { return workers_.at(id).info; }
  bool leaving(LinkId id) const { return workers_.at(id).leaving; }

  // Estimates the rows that the worker computes before those of new work: its
  // waiting rows, and one for each sequence. `sequences` is a lower bound on
  // the number of its sequences, known to the caller. Takes constant time.
  std::int64_t Load(LinkId id, int sequences = 0) const;

  // Returns the links to the workers that have the expert of the layer in
  // memory and the numerics id `numerics`, the best first: those that stay
  // before draining ones, then by load, then by rendezvous hashing of the key
  // and their names. So the rows of many callers with keys of their own do not
  // all go to the same idle holder until it reports its load.
  std::vector<LinkId> Holders(int layer, int expert,
                              const std::string& numerics,
                              std::uint64_t key = 0) const;

  // Returns true if a worker that stays and has that numerics id has the expert
  // of the layer in memory.
  bool Stays(int layer, int expert, const std::string& numerics) const;

  // Returns the number of sparse layers for which the worker has the expert in
  // memory.
  int ResidentLayers(LinkId id, int expert) const;

  // Returns true if a sequence may begin on the worker: it is an expert worker
  // that is ready, reaches every expert of every sparse layer, and stays.
  bool TakesSequences(LinkId id) const;

  // Returns the first expert, by layer, that none of these workers reaches;
  // nullopt if every expert is reached by one of them. A draining worker
  // reaches nothing for new sequences.
  std::optional<LayerExpert> FirstMissing(
      std::span<const LinkId> workers) const;

 private:
  // A process, by name and instance. It may be joined by two links, as each
  // side has dialled the other.
  struct Process {
    int links = 0;
    Work assigned = {};  // On all its links.
  };
  using ProcessKey = std::pair<std::string, std::uint64_t>;
  struct Worker {
    WorkerInfo info;
    bool leaving = false;
    bool reaches_all = false;
    std::map<std::uint64_t, Work> assigned = {};  // Since the last report.
    Process* process = nullptr;                   // In processes_.
    bool stays() const { return !info.draining && !leaving; }
  };
  static ProcessKey KeyOf(const WorkerInfo& info) {
    return {info.name, info.instance};
  }
  static void Forget(Worker& worker, std::uint64_t key);
  // Let the worker enter the process of its description, and leave it together
  // with the work assigned on its link.
  void Enter(Worker& worker);
  void Leave(Worker& worker);
  bool Holds(const Worker& worker, int layer, int expert,
             const std::string& numerics) const;
  // Returns true if the worker is an expert worker that is ready and reaches
  // the expert.
  static bool Reaches(const WorkerInfo& info, int layer, int expert);

  const SparseShape shape_;
  std::unordered_map<LinkId, Worker> workers_;
  std::map<ProcessKey, Process> processes_;
};

}  // namespace apollo
