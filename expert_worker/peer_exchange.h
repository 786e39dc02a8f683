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

// Rows that this worker sends to its peers, other expert workers, and their
// outputs. Dispatching rows returns a ticket, which combining consumes. What
// goes wrong at a peer fails its tickets and no others. One thread.
class PeerExchange {
 public:
  // Stands for the outputs of some rows that a peer owes. Move-only.
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

  // Both must outlive the exchange. Peers whose numerics id is another one than
  // `numerics` are not asked.
  PeerExchange(ExpertCounters& counters, const Clock& clock,
               std::string numerics = "")
      : counters_(counters), answers_(clock), numerics_(std::move(numerics)) {}

  // A link to a peer is up. It computes nothing until its engine says that it
  // is ready.
  void AddPeer(LinkId id, const WorkerInfo& info, std::shared_ptr<Link> link);
  // Takes what a peer says of itself. False if it is ignored: from others, from
  // a peer that was given up, or older than what it said before.
  bool Update(LinkId id, const WorkerInfo& info);
  // A peer has left the list of workers: sequences up to that number may still
  // need it, later ones find it out of reach. None: it is on the list again.
  void SetLeaving(LinkId id, std::optional<std::uint64_t> last_sequence);
  // Closes the links to peers that have left and that no sequence needs.
  void CloseLeft(std::uint64_t oldest_sequence);
  // A link is down: what its peer owes has failed. False if it was no peer's.
  bool Remove(LinkId id);
  // True if a peer that stays computes rows of the expert.
  bool Reaches(int layer, int expert) const {
    return directory_.Stays(layer, expert, numerics_);
  }
  // True if some peer has sequences.
  bool PeersRun() const;

  // Sends rows to the best peer that has their expert. Without such a peer the
  // ticket has failed at once.
  Ticket Dispatch(int layer, AbsentRows rows);
  // Whether Combine may be called.
  bool Answered(const Ticket& ticket) const;
  // The outputs, [rows, hidden], or UNAVAILABLE.
  absl::StatusOr<Rows> Combine(Ticket ticket);

  // Takes what a link sent. Outputs that nobody waits for are ignored.
  // INVALID_ARGUMENT for those that no correct peer sends.
  absl::Status TakeOutputs(LinkId from, const ExpertOutputs& outputs,
                           Rows payload);

  // A link has sent something: its engine does not stand still.
  void Progressed(LinkId from) { answers_.Progressed(from); }

  // Closes the links to peers that have owed outputs for longer than `limit` at
  // the time `now`, and asks them nothing more. True if there was one.
  bool GiveUpOnSilent(absl::Duration limit, absl::Duration now);

 private:
  struct Peer {
    WorkerInfo info;
    std::shared_ptr<Link> link;
    bool given_up = false;
    std::optional<std::uint64_t> leaving = {};  // The last sequence before.
  };
  struct Owed {
    LinkId peer = 0;  // 0: none, it has failed at once.
    int rows = 0;
    int width = 0;
    std::optional<absl::StatusOr<Rows>> answer;
  };

  // Takes nothing from the process behind a link any more.
  void GiveUp(LinkId id);

  ExpertCounters& counters_;
  AnswerWatch answers_;
  const std::string numerics_;
  ExpertDirectory directory_;  // For residency and load only: without a shape.
  std::map<LinkId, Peer> peers_;
  std::map<std::uint64_t, Owed> owed_;  // By ticket.
  std::uint64_t next_ticket_ = 1;
};

}  // namespace apollo
