#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "link/link_session.h"
#include "link/worker_info.h"

namespace apollo {

// The sparse layers of a model, numbered as in the model, and the experts of
// each.
struct SparseShape {
  int first_layer = 0;
  int end_layer = 0;  // Behind the last.
  int num_experts = 0;
};

// One expert of one layer.
struct LayerExpert {
  int layer = 0;
  int expert = 0;
  auto operator<=>(const LayerExpert&) const = default;
};

// What expert workers say of themselves, and what follows from it: who can
// compute which expert, who takes sequences, and who is least busy. Dense
// workers choose by it where a sequence runs, expert workers who computes rows.
//
// Loads are what a worker said last, and what was assigned to it since. A
// worker says how busy it is a few times a second, so that without the second
// part everything that comes between two reports would go to the same one.
//
// Ids of links must have been added by Update, unless a function says
// otherwise. One thread.
class ExpertDirectory {
 public:
  // `shape`: which layers and experts a worker must reach for sequences.
  explicit ExpertDirectory(const SparseShape& shape = {}) : shape_(shape) {}

  // Takes what a worker says; a revision that is not newer than the last is
  // ignored. Workers that are not ready hold and reach nothing. Returns true if
  // it was taken.
  bool Update(LinkId id, const WorkerInfo& info);
  // Of these two, unknown ids are ignored.
  void Remove(LinkId id) { workers_.erase(id); }
  // Says whether a worker has left the list of workers. It counts as one that
  // is about to stop.
  void SetLeaving(LinkId id, bool leaving);

  // Work that this process gives to a worker counts as its load from Assign
  // until the worker's next report, which tells how busy it is, or until
  // Withdraw, once it is done or was taken back. `key`: names it among the work
  // of this worker. Unknown ids and keys are ignored.
  struct Work {
    int sequences = 0;
    std::int64_t rows = 0;
  };
  void Assign(LinkId id, std::uint64_t key, const Work& work);
  void Withdraw(LinkId id, std::uint64_t key);

  // Returns what the worker said last.
  const WorkerInfo& info(LinkId id) const { return workers_.at(id).info; }
  bool leaving(LinkId id) const { return workers_.at(id).leaving; }

  // Returns about how many rows the worker computes before those of something
  // new: the rows that wait, and one for each sequence. `sequences`: how many
  // the caller knows to be there, whatever the worker has said.
  std::int64_t Load(LinkId id, int sequences = 0) const;

  // Returns the links to the workers that have the expert of the layer in
  // memory and give the same bits as `numerics`, the best first: those that
  // stay before those about to stop, then those with less load, then by name.
  std::vector<LinkId> Holders(int layer, int expert,
                              const std::string& numerics) const;

  // Returns true if a worker that stays and gives the same bits has the expert
  // of the layer in memory.
  bool Stays(int layer, int expert, const std::string& numerics) const;

  // Returns in how many of the sparse layers the worker has the expert in
  // memory.
  int ResidentLayers(LinkId id, int expert) const;

  // Returns true if a sequence may begin on the worker: it reaches every expert
  // of every sparse layer, and stays.
  bool TakesSequences(LinkId id) const;

  // Returns the first expert, by layer, that none of these workers reaches;
  // none if each expert is reached by one of them. A worker that is about to
  // stop reaches nothing for new sequences.
  std::optional<LayerExpert> FirstMissing(
      std::span<const LinkId> workers) const;

 private:
  struct Worker {
    WorkerInfo info;
    bool leaving = false;
    bool reaches_all = false;
    std::map<std::uint64_t, Work> assigned = {};  // Since the last report.
    Work sum = {};                                // Of all that is assigned.
    bool stays() const { return !info.draining && !leaving; }
  };
  bool Holds(const Worker& worker, int layer, int expert,
             const std::string& numerics) const;
  // Whether the worker is an expert worker that is ready and reaches the
  // expert.
  static bool Reaches(const WorkerInfo& info, int layer, int expert);

  const SparseShape shape_;
  std::map<LinkId, Worker> workers_;
};

}  // namespace apollo
