#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "link/expert_directory.h"
#include "link/link_session.h"

namespace apollo {

// The expert workers that a dense worker is linked to, and the choice of one
// for a sequence, by what they say of themselves (link/expert_directory.h).
// Weights are read-only and any worker can serve any sequence, so the choice is
// affinity, not ownership: nothing has to be agreed on with others. One thread.
class ExpertWorkers {
 public:
  explicit ExpertWorkers(const SparseShape& shape) : directory_(shape) {}

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

  // What is wanted for a sequence.
  struct Wanted {
    int family = -1;          // Whose expert it uses most; -1: not known.
    std::uint64_t key = 0;    // Names it, and decides among equals.
    std::int64_t tokens = 0;  // That the worker's cache must hold.
    std::int64_t rows = 0;    // That it begins with.
    // Of a sequence that has begun: what its bits depend on.
    std::optional<std::string> numerics = std::nullopt;
  };
  // Chooses among the workers that take sequences, whose cache holds the tokens
  // and that give the bits that are wanted: of those that are not busy (of all,
  // if all are), and of those that have the family's expert in memory in the
  // most layers (of all, if family is -1 or none has it), the one with the
  // least load (see ExpertDirectory), then that with the fewest sequences from
  // here; among equals by rendezvous hashing of the key (Thaler and
  // Ravishankar, 1998). The sequence counts until Release.
  //
  // FAILED_PRECONDITION with the reason if no cache is so large. UNAVAILABLE if
  // there is no worker, naming an expert and its layer that is out of reach; or
  // if others than those wanted would give other bits, naming both ids.
  absl::StatusOr<LinkId> Choose(const Wanted& wanted);
  // The sequence is no longer on the worker. Unknown ids are ignored.
  void Release(LinkId id, std::uint64_t key);

  // Tells if a sequence may begin on that worker: it reaches every expert, and
  // is neither about to stop nor leaving. `id` must be added.
  bool Takes(LinkId id) const { return directory_.TakesSequences(id); }
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
  const WorkerInfo& info(LinkId id) const { return directory_.info(id); }
  const std::string& name(LinkId id) const { return info(id).name; }

  // Tells if some worker takes sequences.
  bool Covers() const;

 private:
  struct Worker {
    std::shared_ptr<Link> link;
    int sequences = 0;
    bool silent = false;
    bool full = false;  // Its link has no room.
    bool busy() const { return silent || full; }
  };
  // Says why there is no worker among these, whose caches are large enough.
  absl::Status OutOfReach(const std::vector<LinkId>& large_enough) const;

  // Owned by the thread. Both have the same ids.
  ExpertDirectory directory_;
  std::map<LinkId, Worker> workers_;
};

}  // namespace apollo
