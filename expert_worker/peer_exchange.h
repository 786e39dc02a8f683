#pragma once

#include <absl/functional/function_ref.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "common/rendezvous.h"
#include "common/rows.h"
#include "engine/expert_stage.h"
#include "expert_worker/dispatch_policy.h"
#include "expert_worker/expert_counters.h"
#include "expert_worker/placement_policy.h"
#include "link/answer_times.h"
#include "link/answer_watch.h"
#include "link/expert_directory.h"
#include "link/link_session.h"

namespace apollo {

// Rows for experts that are not in memory here, and their outputs. Dispatch
// gives them to a peer, which is another expert worker, or to an expert of this
// worker that must come first (expert_worker/dispatch_policy.h). It returns a
// ticket, which Combine consumes.
//
// Rows are kept until their outputs are here. They are sent to another holder
// if the first is lost, has not the expert any more, or gives no sign of life
// within a lease. The first outputs that come count, of whichever holder: all
// have the same bits. No process is asked twice for the same rows unless its
// link was lost, so a ticket fails once nobody is left.
//
// A peer whose answers are slow compared with those of others, because of the
// network or of its own work, is asked only if no other has the expert. Times
// are forgotten after some seconds, so it is tried again. Single-threaded.
class PeerExchange {
 public:
  // A claim to the outputs of some rows. Move-only.
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

  // How this worker computes rows by experts that are not in memory; null if it
  // does not. `bytes_to_load` is that of dispatch_policy.h. `compute` takes
  // rows; ComputedHere or FailedHere follows, with the number, but not before
  // it returns.
  struct Here {
    std::function<std::optional<std::int64_t>(LayerExpert)> bytes_to_load;
    std::function<void(std::uint64_t, LayerExpert, Rows)> compute;
  };

  // `counters` and `clock` must outlive the exchange. Only peers whose numerics
  // id equals `numerics` are asked. `name` is that of this worker: with others
  // of the same load, it chooses other peers than they do.
  PeerExchange(ExpertCounters& counters, const Clock& clock,
               std::string numerics = "", Here here = {},
               const std::string& name = "")
      : counters_(counters),
        clock_(clock),
        answers_(clock),
        numerics_(std::move(numerics)),
        here_(std::move(here)),
        key_(RendezvousScore(name, 0)) {}

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
  // Removes a peer whose link has ended, and gives the rows that it owes to
  // others. Returns false if the link was no peer's.
  bool Remove(LinkId id);
  // Returns true if a peer that stays computes rows of the expert.
  bool Reaches(int layer, int expert) const {
    return directory_.Stays(layer, expert, numerics_);
  }
  // Returns true if some peer has sequences.
  bool PeersRun() const;
  // Returns the peers that compute rows for this worker, each process once.
  std::vector<PlacementPeer> Holders(bool with_rows = true) const;

  // Gives rows to the best place. If there is none, the ticket fails at once.
  Ticket Dispatch(int layer, AbsentRows rows);
  // Returns true if a peer has the rows now.
  bool IsAway(const Ticket& ticket) const;
  // Returns true if Combine may be called.
  bool Answered(const Ticket& ticket) const;
  // Returns true if the outputs are not here and will not be for a while: the
  // peer usually answers late, or what has the rows has had them for long. Late
  // is what AnswerTimes calls so, and more than kLatest in any case.
  bool IsLate(const Ticket& ticket) const;
  static constexpr absl::Duration kLatest = absl::Milliseconds(10);
  // Returns the outputs, [rows, hidden], or UNAVAILABLE.
  absl::StatusOr<Rows> Combine(Ticket ticket);

  // Takes outputs that came on a link. Ignores outputs that no ticket waits
  // for. Returns INVALID_ARGUMENT for those that no correct peer sends.
  absl::Status TakeOutputs(LinkId from, const ExpertOutputs& outputs,
                           Rows payload);
  // Take the outputs of rows that were computed here, or the reason why the
  // expert could not come. Ignore numbers of tickets that do not wait for them.
  void ComputedHere(std::uint64_t number, Rows outputs);
  void FailedHere(std::uint64_t number, const absl::Status& status);

  // Notes a frame from a link as a sign of life: see AnswerWatch.
  void Heard(LinkId from, const Frame& frame);
  // Notes a piece of a frame as one.
  void HeardPiece(LinkId from);

  // Gives the rows of peers that owe outputs to others, if there are any: at
  // the time `now`, nothing has come from such a peer for longer than `lease`,
  // or its engine has not moved for longer than `silent_after`. Until their
  // engine moves such peers are the last choice.
  void SendAgain(absl::Duration lease, absl::Duration silent_after,
                 absl::Duration now);

  // Closes the links to peers that owe outputs and, at the time `now`, have
  // given no sign of life for longer than `limit`, and asks them nothing more.
  // Returns true if there was one.
  bool GiveUpOnSilent(absl::Duration limit, absl::Duration now);

 private:
  // A process: its name and random number.
  using Process = std::pair<std::string, std::uint64_t>;
  struct Peer {
    WorkerInfo info;
    std::shared_ptr<Link> link;
    bool given_up = false;
    bool silent = false;  // See SendAgain.
    // The last sequence that may need a leaving peer.
    std::optional<std::uint64_t> leaving = {};
  };
  struct Owed {
    LayerExpert which;
    Rows rows;  // Until they are answered.
    int count = 0;
    int width = 0;
    std::set<Process> asked = {};  // Not to be asked again.
    bool sent = false;             // To any peer.
    std::uint64_t current = 0;     // The last try; 0: none.
    absl::Duration placed_at;      // The time of that, or of `here`.
    bool here = false;             // This worker computes them.
    bool here_failed = false;
    std::optional<absl::StatusOr<Rows>> answer = {};
  };
  // Rows sent to a peer, by a number of their own: the ticket on the wire.
  struct Try {
    LinkId peer = 0;
    std::uint64_t ticket = 0;
    absl::Duration sent_at;
  };

  Process ProcessOf(LinkId id) const;
  // Returns the best holder that was not asked for the rows, a slow one only if
  // there is no other; one that is silent only if `silent`.
  std::optional<LinkId> HolderFor(const Owed& owed, bool silent) const;
  // Gives the rows of a ticket to the best place. `reason`: why it fails if
  // there is none.
  void Place(std::uint64_t number, const absl::Status& reason);
  void Send(std::uint64_t number, LinkId to);
  // Ends a try that did not succeed, and places its rows again.
  void Failed(const Try& tried, std::uint64_t number,
              const absl::Status& reason);
  // Returns true if the peer's answers are slow compared with those of others.
  bool IsSlow(LinkId id) const {
    return times_.UsualOf(id) > times_.LateAfter(id);
  }
  static void TakeAnswer(Owed& owed, Rows outputs);
  // Returns true if rows that wait for a silent peer may go elsewhere.
  bool HasOtherPlace(const Owed& owed) const;
  // Stops using the process behind a link.
  void GiveUp(LinkId id);

  ExpertCounters& counters_;
  const Clock& clock_;
  AnswerWatch answers_;
  AnswerTimes times_;
  const std::string numerics_;
  const Here here_;
  const std::uint64_t key_;    // Breaks ties of holders.
  ExpertDirectory directory_;  // Residency and load only; has no shape.
  std::map<LinkId, Peer> peers_;
  std::map<std::uint64_t, Owed> owed_;  // By ticket.
  std::map<std::uint64_t, Try> tries_;  // By number.
  std::uint64_t next_number_ = 1;       // Of tickets and of tries.
};

}  // namespace apollo
