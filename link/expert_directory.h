#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "link/link_session.h"
#include "link/worker_info.h"

namespace apollo {

// Who can compute which expert, from what the workers say. One thread.
class ExpertDirectory {
 public:
  // Workers whose numerics id is another one than `numerics` are not known: an
  // expert computed there might differ in its last bits.
  explicit ExpertDirectory(std::string numerics)
      : numerics_(std::move(numerics)) {}

  // Takes what a worker says; a revision that is not newer than the last is
  // ignored. Workers that are not ready hold nothing. Returns true if it was
  // taken.
  bool Update(LinkId id, const WorkerInfo& info);
  void Remove(LinkId id) { workers_.erase(id); }
  // Says whether a worker has left the list of workers. It counts as one that
  // is about to stop. Unknown ids are ignored.
  void SetLeaving(LinkId id, bool leaving);

  // Returns the links to the workers that have the expert of the layer in
  // memory, the best first: those that stay before those about to stop, then
  // those with fewer rows and sequences, then by name.
  std::vector<LinkId> Holders(int layer, int expert) const;

  // Returns true if a worker that stays has the expert of the layer.
  bool Stays(int layer, int expert) const;

 private:
  struct Worker {
    WorkerInfo info;
    bool leaving = false;
    bool stays() const { return !info.draining && !leaving; }
  };
  bool Holds(const Worker& worker, int layer, int expert) const;

  const std::string numerics_;
  std::map<LinkId, Worker> workers_;
};

}  // namespace apollo
