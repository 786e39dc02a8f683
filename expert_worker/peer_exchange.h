#pragma once

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "common/clock.h"
#include "common/rows.h"
#include "engine/expert_stage.h"
#include "expert_worker/expert_counters.h"
#include "link/answer_watch.h"
#include "link/expert_directory.h"
#include "link/link_session.h"

namespace apollo {

// Rows that this worker sends to its peers, which are other expert workers, and
// their outputs. Dispatch returns a ticket, which Combine consumes. A failure
// of a peer fails its own tickets only. Single-threaded.
class PeerExchange {
 public:
  // A claim to the outputs that a peer owes for some rows. Move-only.
  class Ticket {
   public:
    Ticket(Ticket&& other) noexcept
        : number_(std::exchange(other.number_, 0)) {}
    Ticket& operator=(Ticket&& other) noexcept {
      number_ = std::exchange(other.number_, 0);
      return *this;
    }

   private:
    friend class PeerExchange;
    explicit Ticket(std::uint64_t number) : number_(number) {}
    std::uint64_t number_;  // 0: consumed.
  };

  // `counters` and `clock` must outlive the exchange. Only peers whose numerics
  // id equals `numerics` are asked.
  PeerExchange(ExpertCounters& counters, const Clock& clock,
               std::string numerics = "")
      : counters_(counters), answers_(clock), numerics_(std::move(numerics)) {}

  // Adds a peer whose link is up. It gets no rows until its engine reports that
  // it is ready.
  void AddPeer(LinkId id, const WorkerInfo& info, std::shared_ptr<Link> link);
  // Takes a peer's description. Returns false if it is ignored: from a link
  // that is no peer's, from a peer that was given up, or an old revision.
  bool Update(LinkId id, const WorkerInfo& info);
  // Notes that a peer has left the list of workers: sequences up to that number
  // may still need it, later ones cannot use it. nullopt: it is listed again.
  void SetLeaving(LinkId id, std::optional<std::uint64_t> last_sequence);
  // Closes the links to peers that have left and that no sequence needs.
  void CloseLeft(std::uint64_t oldest_sequence);
  // Removes a peer whose link has ended, and fails the outputs that it owes.
  // Returns false if the link was no peer's.
  bool Remove(LinkId id);
  // Returns true if a peer that stays computes rows of the expert.
  bool Reaches(int layer, int expert) const {
    return directory_.Stays(layer, expert, numerics_);
  }
  // Returns true if some peer has sequences.
  bool PeersRun() const;

  // Sends rows to the best peer that has their expert. Without such a peer the
  // ticket fails at once.
  Ticket Dispatch(int layer, AbsentRows rows);
  // Returns true if Combine may be called.
  bool Answered(const Ticket& ticket) const;
  // Returns the outputs, [rows, hidden], or UNAVAILABLE.
  absl::StatusOr<Rows> Combine(Ticket ticket);

  // Takes outputs that came on a link. Ignores outputs that no ticket waits
  // for. Returns INVALID_ARGUMENT for those that no correct peer sends.
  absl::Status TakeOutputs(LinkId from, const ExpertOutputs& outputs,
                           Rows payload);

  // Notes a frame from a link as a sign of life.
  void Heard(LinkId from, const Frame& frame) { answers_.Heard(from, frame); }

  // Closes the links to peers that owe outputs and, at the time `now`, have
  // given no sign of life for longer than `limit`, and asks them nothing more.
  // Returns true if there was one.
  bool GiveUpOnSilent(absl::Duration limit, absl::Duration now);

 private:
  struct Peer {
    WorkerInfo info;
    std::shared_ptr<Link> link;
    bool given_up = false;
    // The last sequence that may need a leaving peer.
    std::optional<std::uint64_t> leaving = {};
  };
  struct Owed {
    LinkId peer = 0;  // 0: none; it failed at once.
    int rows = 0;
    int width = 0;
    std::optional<absl::StatusOr<Rows>> answer;
  };

  // Stops using the process behind a link.
  void GiveUp(LinkId id);

  ExpertCounters& counters_;
  AnswerWatch answers_;
  const std::string numerics_;
  ExpertDirectory directory_;  // Residency and load only; has no shape.
  std::map<LinkId, Peer> peers_;
  std::map<std::uint64_t, Owed> owed_;  // By ticket.
  std::uint64_t next_ticket_ = 1;
};

}  // namespace apollo
