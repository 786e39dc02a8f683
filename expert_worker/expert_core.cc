#include "expert_worker/expert_core.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "common/check.h"
#include "common/log.h"
#include "engine/cache_size.h"

namespace apollo {
namespace {

// Maximum number of guest rows in a piece, unless one guest has more.
constexpr int kMaxGuestRows = 512;
// The source of guests that are rows of this worker itself. Links have other
// numbers.
constexpr LinkId kSelf = 0;
// The time after which a placement that has not changed is sent again.
constexpr absl::Duration kRepeatPlacement = absl::Seconds(30);

}  // namespace

ExpertCore::ExpertCore(Options options, std::unique_ptr<ExpertStage> stage,
                       const Clock& clock)
    : options_(std::move(options)),
      clock_(clock),
      stage_(std::move(stage)),
      counters_(stage_->config(), options_.languages),
      residence_(options_.residence, *stage_, counters_, clock),
      control_(options_.placement, options_.self.name, stage_->config(),
               residence_, clock.Now()),
      sequences_(stage_->blocks(), counters_, clock, options_.requests,
                 options_.tracer, options_.prefix_caching),
      exchange_(
          counters_, clock, options_.self.numerics,
          {[this](LayerExpert which) { return residence_.BytesToLoad(which); },
           [this](std::uint64_t number, LayerExpert which, Rows rows) {
             ComputeHere(number, which, std::move(rows));
           }},
          options_.self.name),
      info_(options_.self),
      described_(clock.Now()),
      placed_(clock.Now()) {
  info_.role = WorkerRole::kExpert;
  info_.keeps_prefixes = options_.prefix_caching;
  info_.resident = residence_.resident();
  info_.reaches = FindReached();
  info_.placement = control_.Report(described_);
  info_.ready = true;
  ++info_.revision;
}

ExpertCore::~ExpertCore() = default;

void ExpertCore::LinkUp(LinkId id, const WorkerInfo& peer,
                        std::shared_ptr<Link> link) {
  if (peer.role == WorkerRole::kExpert) exchange_.AddPeer(id, peer, link);
  SendInfo();
  Neighbour& neighbour = neighbours_[id];
  neighbour = {peer, std::move(link)};
  SendTo(neighbour);
}

void ExpertCore::LinkLeaving(LinkId id, bool leaving) {
  std::optional<std::uint64_t> last_sequence;
  if (leaving) last_sequence = sequences_.newest();
  exchange_.SetLeaving(id, last_sequence);
  SendInfo();
}

void ExpertCore::LinkDown(LinkId id) {
  if (neighbours_.erase(id) == 0) return;
  if (exchange_.Remove(id)) SendInfo();
  waiting_.DropLink(id);
  guests_.DropLink(id);
  sequences_.DropLink(id);
}

void ExpertCore::Drain(bool hand_over) {
  draining_ = true;
  hand_over_ = hand_over;
  SendInfo();
}

LayerExperts ExpertCore::FindReached() const {
  const ModelConfig& config = stage_->config();
  std::set<LayerExpert> reached;
  for (int layer = config.boundary; layer < config.num_layers; ++layer) {
    for (int expert = 0; expert < config.num_experts; ++expert) {
      if (residence_.StandsByForAll() ||
          residence_.resident().Has(layer, expert) ||
          exchange_.Reaches(layer, expert)) {
        reached.insert({layer, expert});
      }
    }
  }
  return LayerExperts::Of(reached, config.boundary, config.num_layers);
}

bool ExpertCore::ReachesAll() const {
  return static_cast<int>(info_.reaches.everywhere.size()) >=
         stage_->config().num_experts;
}

void ExpertCore::SendInfo(bool with_load) {
  WorkerInfo info = info_;
  info.resident = residence_.resident();
  info.reaches = FindReached();
  info.draining = draining_;
  const absl::Duration now = clock_.Now();
  if (info.resident != info_.resident ||
      (with_load && now - described_ >= control_.ReportEvery())) {
    described_ = now;
    info.placement = control_.Report(now);
  }
  info.hand_over = hand_over_;
  if (options_.certificate_expires) {
    info.certificate_expires = options_.certificate_expires();
  }
  if (!with_load && info == info_) return;
  info.running_sequences = sequences();
  info.queued_rows = waiting_.rows() + guests_.rows();
  // Equal numbers are news, too, if work has come: others count what they have
  // sent until the next report.
  const bool took_work = with_load && std::exchange(took_work_, false);
  const bool repeat = with_load && now - placed_ >= kRepeatPlacement;
  if (info == info_ && !took_work && !repeat) return;
  if (repeat || info.placement != info_.placement) {
    ++placement_;
    placed_ = now;
  }
  // Not news by themselves.
  info.cache_tokens_used = UsedCacheTokens(stage_->blocks());
  info.rows_computed = counters_.rows;
  ++info.revision;
  info_ = std::move(info);
  for (auto& [id, neighbour] : neighbours_) SendTo(neighbour);
}

void ExpertCore::SendTo(Neighbour& neighbour) {
  const bool has_it =
      std::exchange(neighbour.placement, placement_) == placement_;
  if (!has_it || !neighbour.info.keeps_placement) {
    neighbour.link->Send({info_});
    return;
  }
  PlacementReport placement = std::exchange(info_.placement, {});
  info_.same_placement = true;
  neighbour.link->Send({info_});
  info_.same_placement = false;
  info_.placement = std::move(placement);
}

void ExpertCore::Tick(absl::Duration now, bool report,
                      Attentiveness attention) {
  exchange_.CloseLeft(sequences_.oldest());
  if (attention.lease) {
    exchange_.SendAgain(options_.lease, options_.silent_after, now);
  }
  const bool gave_up = attention.timeout &&
                       exchange_.GiveUpOnSilent(options_.answer_timeout, now);
  GiveUpOnLoads(now);
  if (!draining_ && control_.Decides(now)) {
    control_.Decide(exchange_.Holders(), now);
  }
  if (report || gave_up) SendInfo(/*with_load=*/report);
  CountLoad();
}

void ExpertCore::CountLoad() {
  const BlockPool& pool = stage_->blocks();
  counters_.waiting_rows = waiting_.rows() + guests_.rows();
  counters_.used_blocks = pool.total() - pool.available();
  counters_.blocks = pool.total();
  counters_.cache_usage = static_cast<double>(pool.total() - pool.available()) /
                          std::max(pool.total(), 1);
}

void ExpertCore::Loaded(
    LayerExpert which, absl::StatusOr<std::unique_ptr<ExpertWeights>> weights) {
  const absl::Status status = weights.status();
  residence_.Loaded(which, std::move(weights));
  if (status.ok()) return;
  const auto waiting = to_come_.extract(which);
  if (waiting.empty()) return;
  for (const auto& [number, rows] : waiting.mapped()) {
    exchange_.FailedHere(number, status);
  }
}

void ExpertCore::GiveUpOnLoads(absl::Duration now) {
  const std::optional<absl::Duration> since = residence_.loading_since();
  if (!since || now - *since <= options_.answer_timeout) return;
  for (const auto& [which, waiting] : std::exchange(to_come_, {})) {
    LogError("expert_load_timed_out",
             {{"layer", which.layer},
              {"expert", which.expert},
              {"seconds", absl::ToDoubleSeconds(options_.answer_timeout)}});
    for (const auto& [number, rows] : waiting) {
      exchange_.FailedHere(number, absl::DeadlineExceededError(absl::StrCat(
                                       "expert ", which.expert, " of layer ",
                                       which.layer, " took too long to load")));
    }
  }
}

void ExpertCore::TakePlacement(Placement placement) {
  control_.TakeFile(std::move(placement), clock_.Now());
}

void ExpertCore::LinkFrame(LinkId id, Frame frame) {
  const auto it = neighbours_.find(id);
  if (it == neighbours_.end()) return;
  exchange_.Heard(id, frame);
  if (std::holds_alternative<Progress>(frame.body)) return;
  const absl::Status status = Take(id, std::move(frame));
  if (status.ok()) return;
  LogError("protocol_violated", {{"peer", it->second.info.name},
                                 {"reason", std::string(status.message())}});
  it->second.link->Close();  // LinkDown follows.
}

absl::Status ExpertCore::Take(LinkId from, Frame frame) {
  if (std::holds_alternative<StageStep>(frame.body)) {
    took_work_ = true;
    return waiting_.Add(from, std::move(frame), stage_->config(),
                        neighbours_.at(from).info.takes_parts);
  }
  if (const auto* release = std::get_if<ReleaseSequences>(&frame.body)) {
    waiting_.Cancel(from, *release);
    sequences_.Release(from, *release);
    return absl::OkStatus();
  }
  if (std::holds_alternative<ExpertRows>(frame.body)) {
    took_work_ = true;
    return AddGuest(from, std::move(frame));
  }
  if (const auto* outputs = std::get_if<ExpertOutputs>(&frame.body)) {
    return exchange_.TakeOutputs(from, *outputs, std::move(frame.payload));
  }
  if (auto* info = std::get_if<WorkerInfo>(&frame.body)) {
    TakeInfo(from, *info);
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      "unexpected kind of frame for an expert worker");
}

void ExpertCore::TakeInfo(LinkId from, const WorkerInfo& info) {
  // Changes of dense workers do not matter here.
  if (!exchange_.Update(from, info)) return;
  if (info.draining && SameNumerics(info.numerics, options_.self.numerics)) {
    control_.PeerStops(info.name, info.resident, clock_.Now());
  }
  SendInfo();
}

absl::Status ExpertCore::AddGuest(LinkId from, Frame frame) {
  const ModelConfig& config = stage_->config();
  const ExpertRows& rows = std::get<ExpertRows>(frame.body);
  const Rows& payload = frame.payload;
  if (rows.layer < config.boundary || rows.layer >= config.num_layers ||
      payload.empty() || payload.numbers() % config.hidden_size != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("rows of an invalid layer or size: layer ", rows.layer,
                     ", ", payload.numbers(), " numbers"));
  }
  if (!stage_->experts().Has(rows.layer, rows.expert)) {
    const absl::Status status = absl::NotFoundError(absl::StrCat(
        "expert ", rows.expert, " is not resident on this worker"));
    neighbours_.at(from).link->Send({ExpertOutputs{rows.ticket, status}, {}});
    return absl::OkStatus();
  }
  guests_.Add({from,
               rows.ticket,
               rows.layer,
               {rows.expert, payload.Reshaped(config.hidden_size)},
               std::move(frame.receipt)});
  return absl::OkStatus();
}

template <typename Use>
auto ExpertCore::WithFacts(Use use) const {
  const auto needed = [this](LayerExpert which) { return guests_.Has(which); };
  std::optional<std::vector<PlacementPeer>> peers;
  const auto dispensable = [this, &peers](LayerExpert which) {
    if (!peers) peers = exchange_.Holders(/*with_rows=*/false);
    return control_.Dispensable(which, *peers);
  };
  return use(ExpertResidence::Facts{needed, dispensable});
}

ExpertCore::Next ExpertCore::NextPiece() const {
  if (at_work_) return {};
  const bool moves = WithFacts([this](const ExpertResidence::Facts& facts) {
    return residence_.HasWork(facts);
  });
  if (moves) return {Piece::kMove};
  const Next of_batches = NextOfBatches();
  return GuestsGoFirst(of_batches) ? Next{Piece::kGuests} : of_batches;
}

bool ExpertCore::GuestsGoFirst(const Next& next) const {
  if (guests_.empty()) return false;
  if (next.piece == Piece::kNone) return true;
  // A layer includes its guests.
  if (next.piece == Piece::kLayer &&
      guests_.oldest_layer() == next.batch->layer) {
    return false;
  }
  return guests_turn_;
}

void ExpertCore::Advance() {
  const Next next = NextPiece();
  if (next.piece == Piece::kMove) return MoveExpert();
  guests_turn_ = next.piece != Piece::kGuests;
  switch (next.piece) {
    case Piece::kNone:
    case Piece::kMove:
      return;
    case Piece::kBegin:
      return BeginBatch();
    case Piece::kLayer:
      return RunLayer(*next.batch);
    case Piece::kResume:
      return Resume(*next.batch);
    case Piece::kSplit:
      return Split(*next.batch);
    case Piece::kFinish:
      return FinishBatch(*next.batch);
    case Piece::kGuests:
      return RunGuests();
  }
}

void ExpertCore::MoveExpert() {
  const std::optional<LayerExpert> came =
      WithFacts([this](const ExpertResidence::Facts& facts) {
        return residence_.Work(facts);
      });
  if (came) {
    auto waiting = to_come_.extract(*came);
    if (!waiting.empty()) {
      for (auto& [number, rows] : waiting.mapped()) {
        ComputeHere(number, *came, std::move(rows));
      }
    }
  }
  SendInfo();
}

void ExpertCore::ComputeHere(std::uint64_t number, LayerExpert which,
                             Rows rows) {
  if (!residence_.held().contains(which)) {
    to_come_[which].emplace_back(number, std::move(rows));
    return residence_.Want(which);
  }
  guests_.Add(
      {kSelf, number, which.layer, {which.expert, std::move(rows)}, nullptr});
}

std::vector<GuestRows> ExpertCore::TakeGuests(int layer) {
  served_ = guests_.Take(layer, kMaxGuestRows);
  std::vector<GuestRows> rows;
  for (Guest& guest : served_) {
    const LayerExpert which = {layer, guest.rows.expert};
    residence_.Used(which);
    if (guest.from != kSelf) {
      control_.CountGuests(which, guest.rows.rows.rows(), clock_.Now());
    }
    rows.push_back(std::move(guest.rows));
  }
  return rows;
}

void ExpertCore::RunGuests() {
  at_work_ = true;
  const int layer = guests_.oldest_layer();
  stage_->RunExperts(layer, TakeGuests(layer),
                     [this](std::vector<Rows> outputs) {
                       at_work_ = false;
                       AnswerGuests(std::move(outputs));
                     });
}

void ExpertCore::AnswerGuests(std::vector<Rows> outputs) {
  const std::vector<Guest> served = std::exchange(served_, {});
  APOLLO_CHECK(outputs.size() == served.size());
  for (std::size_t i = 0; i < served.size(); ++i) {
    if (served[i].from == kSelf) {
      exchange_.ComputedHere(served[i].ticket, std::move(outputs[i]));
      continue;
    }
    counters_.rows_served += outputs[i].rows();
    const auto neighbour = neighbours_.find(served[i].from);
    if (neighbour == neighbours_.end()) continue;  // The link has ended.
    neighbour->second.link->Send(
        {ExpertOutputs{served[i].ticket, {}}, std::move(outputs[i])});
  }
}

}  // namespace apollo
