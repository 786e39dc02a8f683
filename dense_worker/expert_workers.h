#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "dense_worker/held_prefixes.h"
#include "dense_worker/pinning.h"
#include "link/expert_directory.h"
#include "link/link_session.h"
#include "sequence/block_hash.h"

namespace apollo {

// The expert workers that a dense worker is linked to, and the choice of one
// for each sequence from the descriptions that they send
// (link/expert_directory.h). Weights are read-only and any worker can serve any
// sequence, so the choice is affinity, not ownership, and needs no agreement
// between dense workers. Single-threaded.
class ExpertWorkers {
 public:
  explicit ExpertWorkers(const SparseShape& shape,
                         Pinning pinning = Pinning::kPrefer)
      : pinning_(pinning), directory_(shape) {}

  // Adds a worker. It gets no work until it reports that it is ready, because
  // its first message comes from a process whose engine may be stuck.
  void Add(LinkId id, const WorkerInfo& worker, std::shared_ptr<Link> link);
  void Remove(LinkId id);
  bool Contains(LinkId id) const { return workers_.contains(id); }

  // These five ignore unknown ids: a link may have ended already.
  //
  // Sends the worker a frame.
  void Send(LinkId id, Frame frame) const;
  // Closes the link to the worker; Remove follows.
  void Close(LinkId id) const;
  // Marks a worker as silent, or as answering again.
  void SetSilent(LinkId id, bool silent);
  // Marks a worker as leaving, or as back. A leaving worker gets no new
  // sequences.
  void SetLeaving(LinkId id, bool leaving);
  // Notes that the link to the worker has room for frames again.
  void SetWritable(LinkId id);

  // Takes the worker's description unless a newer one has come before. `id`
  // must have been added.
  void Update(LinkId id, const WorkerInfo& info);

  // Returns the workers whose links have become full since the last call. They
  // are busy until SetWritable.
  std::vector<LinkId> FindFull();
  // Sets the workers that must answer before they get more rows. Returns those
  // for which that changes.
  std::vector<LinkId> SetBehind(const std::set<LinkId>& behind);

  // Requirements of a sequence.
  struct Wanted {
    int family = -1;          // Its expert is used most; -1: unknown.
    std::uint64_t key = 0;    // Identifies the sequence; breaks ties.
    std::int64_t tokens = 0;  // The worker's cache must hold these.
    std::int64_t rows = 0;    // Its first rows.
    // The numerics id of a sequence that has begun.
    std::optional<std::string> numerics = std::nullopt;
    bool new_options = false;  // See NeedsNewOptions.
    // A worker that is not chosen: the one that the sequence leaves.
    std::optional<LinkId> except = std::nullopt;
    // The hashes of those of its blocks that a worker that holds them need not
    // compute. Used only during the call.
    std::span<const BlockHash> blocks = {};
  };
  // Chooses a worker among those that accept sequences, know the options of the
  // sequence, whose cache holds the tokens, and that have the wanted numerics
  // id. pinning.h states which of them is chosen; ties are broken by rendezvous
  // hashing of the key (common/rendezvous.h). The sequence counts until
  // Release. Takes time proportional to the number of workers.
  //
  // Returns FAILED_PRECONDITION with the reason if no cache is large enough.
  // Returns UNAVAILABLE if there is no worker, naming an expert that is out of
  // reach and its layer, or if the remaining workers have other numerics ids,
  // naming both ids, or do not know the options, or if sequences are pinned
  // strictly and none has the family's expert in memory.
  absl::StatusOr<LinkId> Choose(const Wanted& wanted);
  // Removes the sequence from the worker. Ignores unknown ids.
  void Release(LinkId id, std::uint64_t key);

  // What workers are believed to hold of sequences (held_prefixes.h). Nothing
  // is believed of unknown ids, and of workers that keep nothing.
  //
  // Returns how many of the first blocks of a sequence the worker holds.
  int Held(LinkId id, std::span<const BlockHash> hashes) const;
  // Note that the worker has used consecutive blocks, or does not hold them.
  void NoteHeld(LinkId id, std::span<const BlockHash> hashes);
  void NoteMissing(LinkId id, std::span<const BlockHash> hashes);
  // Returns true if the worker keeps blocks whose hashes it is told.
  bool KeepsPrefixes(LinkId id) const;
  // Returns true if some worker does.
  bool AnyKeepsPrefixes() const;

  // Returns true if a sequence may begin on that worker: it reaches every
  // expert, and is neither draining nor leaving. `id` must have been added.
  bool Takes(LinkId id) const { return directory_.TakesSequences(id); }
  // Returns true if the worker has the expert in memory for some sparse layer.
  // `id` must have been added.
  bool IsResident(LinkId id, int expert) const {
    return directory_.ResidentLayers(id, expert) > 0;
  }
  // IsSilent returns true if a worker is silent. IsBusy returns true if no work
  // should be sent to it now: it is silent, its link is full, or it must answer
  // first. Both return false for unknown ids.
  bool IsSilent(LinkId id) const;
  bool IsBusy(LinkId id) const;
  // Returns true if the worker is leaving and has no sequences from here.
  bool HasLeft(LinkId id) const;

  // Returns the capacity in tokens of the largest cache of workers that accept
  // sequences; 0 if it is unknown, because one of them did not report it or
  // there are none.
  std::int64_t MostTokens() const;

  // The worker's last description. `id` must have been added.
  const WorkerInfo& info(LinkId id) const { return directory_.info(id); }
  const std::string& name(LinkId id) const { return info(id).name; }

  // Returns true if some worker accepts sequences.
  bool Covers() const;
  // Return the number of all workers, and of those that accept sequences.
  int size() const { return static_cast<int>(workers_.size()); }
  int ready() const;

 private:
  struct Worker {
    std::shared_ptr<Link> link;
    int sequences = 0;
    bool silent = false;
    bool full = false;    // Its link has no room.
    bool behind = false;  // It must answer first.
    HeldPrefixes held = {};
    bool busy() const { return silent || full || behind; }
  };
  // Bounds what is remembered of a worker by what its cache can hold.
  void BoundHeld(LinkId id);
  PinningCandidate Describe(LinkId id, const Wanted& wanted) const;
  // Returns the error if none of these workers, whose caches are large enough,
  // accepts sequences.
  absl::Status OutOfReach(const std::vector<LinkId>& large_enough) const;

  const Pinning pinning_;
  // Owned by the thread. Both have the same ids.
  ExpertDirectory directory_;
  std::map<LinkId, Worker> workers_;
};

}  // namespace apollo
