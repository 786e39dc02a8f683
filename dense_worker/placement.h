#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <map>
#include <string>

#include "link/link_session.h"

namespace apollo {

// Chooses the expert worker of a sequence among those that are linked. Weights
// are read-only and any worker can serve any sequence, so this is affinity, not
// ownership: nothing has to be agreed on with others. One thread.
class Placement {
 public:
  void Add(LinkId id, const Hello& worker);
  void Remove(LinkId id);

  // Says whether a worker has stopped answering, for now. Unknown ids are ignored.
  void SetSilent(LinkId id, bool silent);

  // Of the workers that are not silent (of all, if all are), and of those of the
  // workers that have the family's expert (of all, if family is -1 or none has
  // it), the one with the fewest sequences from here; among equals by
  // rendezvous hashing of `key` (Thaler and Ravishankar, 1998). Only workers whose
  // cache holds `tokens` tokens count; FAILED_PRECONDITION with the reason if there
  // is none such, UNAVAILABLE without any worker. The sequence counts until
  // Release.
  absl::StatusOr<LinkId> Choose(int family, std::uint64_t key,
                                std::int64_t tokens);
  void Release(LinkId id);

  // What the largest cache holds; 0: not known, as some worker did not say or
  // there is none.
  std::int64_t MostTokens() const;

  // The worker's name. `id` must be added.
  const std::string& name(LinkId id) const { return workers_.at(id).hello.name; }

  // Whether each of `num_experts` experts is on some worker.
  bool Covers(int num_experts) const;
  // The first expert that is on none; -1 if there is none such.
  int FirstMissing(int num_experts) const;

 private:
  struct Worker {
    Hello hello;
    int sequences = 0;
    bool silent = false;
  };
  std::map<LinkId, Worker> workers_;
};

}  // namespace apollo
