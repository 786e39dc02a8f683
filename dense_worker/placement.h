#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "link/link_session.h"

namespace apollo {

// Chooses the expert worker of a sequence among those that are linked. Weights
// are read-only and any worker can serve any sequence, so this is affinity, not
// ownership: nothing has to be agreed on with others. One thread.
class Placement {
 public:
  explicit Placement(int num_experts) : num_experts_(num_experts) {}

  // A worker reaches nothing until SetReach: a hello comes from a process whose
  // engine may stand still.
  void Add(LinkId id, const Hello& worker);
  void Remove(LinkId id);

  // What the worker says it has itself or through others. `id` must be added.
  void SetReach(LinkId id, std::set<int> experts);
  // Says whether a worker has stopped answering, for now. Unknown ids are
  // ignored.
  void SetSilent(LinkId id, bool silent);
  // Says whether a worker has left the list of workers: then no sequence begins
  // there. Unknown ids are ignored.
  void SetLeaving(LinkId id, bool leaving);
  // Returns the workers that leave and have no sequences from here any more.
  std::vector<LinkId> Left() const;

  // Of the workers that reach every expert: of those that are not silent (of
  // all, if all are), and of those of the workers that have the family's expert
  // (of all, if family is -1 or none has it), the one with the fewest sequences
  // from here; among equals by rendezvous hashing of `key` (Thaler and
  // Ravishankar, 1998). Only workers whose cache holds `tokens` tokens count;
  // FAILED_PRECONDITION with the reason if no cache is so large, UNAVAILABLE
  // naming a missing expert if a worker's is that does not reach all now, or if
  // there is none. The sequence counts until Release.
  absl::StatusOr<LinkId> Choose(int family, std::uint64_t key,
                                std::int64_t tokens);
  void Release(LinkId id);

  // Whether a sequence may begin on that worker.
  bool Takes(LinkId id) const { return Takes(workers_.at(id)); }

  // What the largest cache of workers that reach every expert holds; 0: not
  // known, as one of them did not say or there is none.
  std::int64_t MostTokens() const;

  // The worker's name. `id` must be added.
  const std::string& name(LinkId id) const {
    return workers_.at(id).hello.name;
  }

  // Whether some worker reaches every expert.
  bool Covers() const { return FirstMissing() < 0; }
  // An expert that stands in the way of that; -1 if there is none such.
  int FirstMissing() const;

 private:
  struct Worker {
    Hello hello;
    std::set<int> reach = {};
    int sequences = 0;
    bool silent = false;
    bool leaving = false;
  };
  bool Takes(const Worker& worker) const {
    return !worker.leaving && FirstMissing(worker) < 0;
  }
  // An expert that the worker does not reach, or -1.
  int FirstMissing(const Worker& worker) const;

  const int num_experts_;
  std::map<LinkId, Worker> workers_;
};

}  // namespace apollo
