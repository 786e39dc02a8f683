#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "link/link_session.h"

namespace apollo {

// The expert workers that a dense worker is linked to: what each reaches, how
// busy it is with sequences from here, and the choice of one for a sequence.
// Weights are read-only and any worker can serve any sequence, so the choice is
// affinity, not ownership: nothing has to be agreed on with others. One thread.
class ExpertWorkers {
 public:
  explicit ExpertWorkers(int num_experts) : num_experts_(num_experts) {}

  // A worker takes nothing until it says that it is ready: its first message
  // comes from a process whose engine may stand still.
  void Add(LinkId id, const WorkerInfo& worker, std::shared_ptr<Link> link);
  void Remove(LinkId id);
  bool Contains(LinkId id) const { return workers_.contains(id); }

  // Of these five, unknown ids are ignored: a link may be gone already.
  //
  // Sends the worker a frame.
  void Send(LinkId id, Frame frame) const;
  // Closes the link to it; Remove follows.
  void Close(LinkId id) const;
  // A silent worker has stopped answering, for now.
  void SetSilent(LinkId id, bool silent);
  // A leaving worker gets no new sequences.
  void SetLeaving(LinkId id, bool leaving);
  // The link to the worker has room for more frames again.
  void SetWritable(LinkId id);

  // Takes what the worker says of itself, unless it said something newer
  // before. `id` must be added.
  void Update(LinkId id, const WorkerInfo& info);

  // Finds the workers whose links have got full since the last call: they are
  // busy from now on, until SetWritable.
  std::vector<LinkId> FindFull();

  // Of the workers that take sequences: of those that are not busy (of all, if
  // all are), and of those of the workers that have the family's expert
  // (of all, if family is -1 or none has it), the one with the fewest sequences
  // from here; among equals by rendezvous hashing of `key` (Thaler and
  // Ravishankar, 1998). Only workers whose cache holds `tokens` tokens count;
  // FAILED_PRECONDITION with the reason if no cache is so large, UNAVAILABLE
  // naming a missing expert if a worker's is that does not reach all now, or if
  // there is none. Only workers that give the same bits as `numerics` count
  // (all, if it is empty); UNAVAILABLE naming both ids if others would do. The
  // sequence counts until Release.
  absl::StatusOr<LinkId> Choose(int family, std::uint64_t key,
                                std::int64_t tokens,
                                const std::string& numerics = "");
  void Release(LinkId id);

  // Tells if a sequence may begin on that worker: it reaches every expert, and
  // is neither about to stop nor leaving. `id` must be added.
  bool Takes(LinkId id) const { return Takes(workers_.at(id)); }
  // Tells if a worker is silent, or (for IsBusy) if nothing more is to be sent
  // to it now: it is silent, or its link is full. Unknown ids are not.
  bool IsSilent(LinkId id) const;
  bool IsBusy(LinkId id) const;
  // Tells if the worker is leaving and has no sequence from here any more.
  bool HasLeft(LinkId id) const;

  // What the largest cache of workers that take sequences holds; 0: not
  // known, as one of them did not say or there is none.
  std::int64_t MostTokens() const;

  // What the worker said last. `id` must be added.
  const WorkerInfo& info(LinkId id) const { return workers_.at(id).info; }
  const std::string& name(LinkId id) const { return info(id).name; }

  // Tells if some worker takes sequences.
  bool Covers() const;

 private:
  struct Worker {
    WorkerInfo info;
    std::shared_ptr<Link> link;
    int sequences = 0;
    bool silent = false;
    bool full = false;  // Its link has no room.
    bool leaving = false;
    bool busy() const { return silent || full; }
  };
  // An expert that the worker does not reach, or -1.
  int FirstMissing(const Worker& worker) const;
  bool Takes(const Worker& worker) const {
    return !worker.leaving && !worker.info.draining && FirstMissing(worker) < 0;
  }

  const int num_experts_;
  std::map<LinkId, Worker> workers_;  // Owned by the thread.
};

}  // namespace apollo
