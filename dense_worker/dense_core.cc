#include "dense_worker/dense_core.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include "common/check.h"
#include "common/log.h"
#include "common/retry_hint.h"
#include "common/status_macros.h"
#include "dense_worker/queue_bound.h"
#include "dense_worker/request_check.h"
#include "engine/cache_size.h"
#include "sequence/block_hash.h"
#include "sequence/prefix_hash.h"

namespace apollo {
namespace {

absl::Status TooLate() {
  return absl::DeadlineExceededError("the client's deadline has passed");
}

}  // namespace

DenseCore::DenseCore(Options options, std::unique_ptr<DenseStage> stage,
                     RoutingLog& routing, const Clock& clock)
    : options_(std::move(options)),
      stage_(std::move(stage)),
      routing_(routing),
      clock_(clock),
      prefixes_(stage_->blocks(), options_.model_hash),
      scheduler_(
          options_.scheduler, stage_->blocks(),
          [this](SequenceId id) { return FindCached(id); },
          [this](SequenceId id, int cached_tokens) {
            return FirstRowAtAdmission(id, cached_tokens);
          }),
      workers_({stage_->config().boundary, stage_->config().num_layers,
                stage_->config().num_experts},
               options_.pinning),
      ledger_([this](LinkId id,
                     Frame frame) { workers_.Send(id, std::move(frame)); },
              clock, &counters_.answer_seconds),
      moves_(counters_, clock) {
  CountBlocks();
}

DenseCore::~DenseCore() {
  EndAll(absl::UnavailableError("the dense worker is shutting down"));
}

void DenseCore::EndAll(const absl::Status& error) {
  while (!sequences_.empty()) Finish(sequences_.begin()->first, error);
}

// Links.

void DenseCore::LinkUp(LinkId id, const WorkerInfo& peer,
                       std::shared_ptr<Link> link) {
  workers_.Add(id, peer, std::move(link));
}

void DenseCore::LinkLeaving(LinkId id, bool leaving) {
  workers_.SetLeaving(id, leaving);
  if (leaving) SetRetryFor(id);
  if (workers_.HasLeft(id)) workers_.Close(id);  // LinkDown follows.
}

void DenseCore::LinkWritable(LinkId id) {
  workers_.SetWritable(id);
  UpdatePausedOn(id);
}

void DenseCore::LinkFrame(LinkId id, Frame frame) {
  if (!workers_.Contains(id)) return;
  ledger_.Heard(id, frame);
  const auto* report = std::get_if<Progress>(&frame.body);
  if (report == nullptr || !report->still) Moves(id);
  if (const auto* info = std::get_if<WorkerInfo>(&frame.body)) {
    TakeInfo(id, *info);
  } else if (const auto* result = std::get_if<StageResult>(&frame.body)) {
    TakeResult(id, *result);
  } else if (report == nullptr) {
    LogError("protocol_violated", {{"peer", workers_.name(id)}});
    workers_.Close(id);
  }
}

void DenseCore::LinkPiece(LinkId id) {
  if (!workers_.Contains(id)) return;
  ledger_.HeardPiece(id);
  Moves(id);
}

void DenseCore::Moves(LinkId id) {
  if (!workers_.IsSilent(id)) return;
  LogInfo("expert_worker_recovered", {{"peer", workers_.name(id)}});
  SetSilent(id, false);
}

void DenseCore::TakeInfo(LinkId id, const WorkerInfo& info) {
  workers_.Update(id, info);
  if (!workers_.Takes(id)) SetRetryFor(id);
  if (HandsOver(id)) HandOver();
}

void DenseCore::TakeResult(LinkId id, const StageResult& result) {
  std::optional<StepLedger::Asked> asked =
      result.more ? ledger_.TakePart(id, result.step, result.outputs)
                  : ledger_.TakeAnswer(id, result.step);
  if (!asked) {
    LogError("protocol_violated", {{"peer", workers_.name(id)}});
    workers_.Close(id);
    return;
  }
  FindBehind();
  for (const SequenceOutput& output : result.outputs) {
    const auto rows = asked->extract({output.sequence, output.attempt});
    // An output that was not requested is ignored: the sequence may not be
    // running.
    if (rows.empty()) continue;
    routing_.Add({rows.mapped().language, rows.mapped().has_family,
                  output.expert_use, output.off_family});
    TakeOutput(id, output);
  }
  for (const auto& [key, rows] : *asked) {
    const auto& [sequence_id, attempt] = key;
    const auto it = sequences_.find(sequence_id);
    if (it == sequences_.end() || it->second.attempt() != attempt ||
        it->second.worker() != id) {
      continue;
    }
    // Nothing else would end it.
    Finish(sequence_id,
           absl::InternalError(
               "the expert worker's answer does not contain the sequence"));
  }
  if (HandsOver(id)) HandOver();
}

void DenseCore::TakeOutput(LinkId from, const SequenceOutput& output) {
  const auto it = sequences_.find(output.sequence);
  // Late answers for sequences that have ended, or for older attempts.
  if (it == sequences_.end() || it->second.attempt() != output.attempt ||
      it->second.worker() != from) {
    return;
  }
  DenseSequence& sequence = it->second;
  NoteHeld(from, output, sequence);
  DenseSequence::Verdict verdict = sequence.Take(output);
  switch (verdict.kind) {
    case DenseSequence::Verdict::Kind::kGoesOn:
      return;
    case DenseSequence::Verdict::Kind::kToken:
      scheduler_.TokenArrived(sequence.id());
      WentOn(sequence);
      return;
    case DenseSequence::Verdict::Kind::kNoRoom:
      Hold(sequence);
      return;
    case DenseSequence::Verdict::Kind::kFailed:
      Retry(sequence, verdict.result.status());
      return;
    case DenseSequence::Verdict::Kind::kMissed:
      BeginEarlier(sequence, output.held_tokens);
      return;
    case DenseSequence::Verdict::Kind::kOver:
      if (verdict.result.ok()) WentOn(sequence);
      Finish(sequence.id(), std::move(verdict.result));
      return;
  }
}

void DenseCore::Tick(absl::Duration now, Attentiveness attention) {
  FinishLate(now);
  scheduler_.SetTime(now);
  for (auto& [id, sequence] : sequences_) {
    if (sequence.retry_at() && *sequence.retry_at() <= now) LetGo(sequence);
  }
  if (attention.lease) {
    for (const LinkId id :
         ledger_.SilentFor(options_.lease, options_.silent_after, now)) {
      if (workers_.IsSilent(id)) continue;
      LogWarning("expert_worker_stalled", {{"peer", workers_.name(id)}});
      SetSilent(id, true);
    }
  }
  if (attention.timeout) CloseTimedOut(now);
  MoveFromSilent();
  HandOver();
  CountWorkers();
}

void DenseCore::CloseTimedOut(absl::Duration now) {
  for (const LinkId id : ledger_.StillFor(options_.answer_timeout, now)) {
    LogError("expert_worker_timed_out",
             {{"peer", workers_.name(id)},
              {"seconds", absl::ToDoubleSeconds(options_.answer_timeout)}});
    ledger_.StopWatching(id);
    workers_.Close(id);  // LinkDown follows.
  }
}

void DenseCore::SetSilent(LinkId id, bool silent) {
  workers_.SetSilent(id, silent);
  if (silent) {
    silent_[id] = clock_.Now();
  } else {
    silent_.erase(id);
  }
  UpdatePausedOn(id);
}

void DenseCore::FindBehind() {
  const int limit = options_.steps_in_flight * options_.scheduler.token_budget;
  std::set<LinkId> behind;
  for (const auto& [worker, rows] : ledger_.LateRows()) {
    if (rows >= limit) behind.insert(worker);
  }
  for (const LinkId id : workers_.SetBehind(behind)) UpdatePausedOn(id);
}

void DenseCore::UpdatePausedOn(LinkId worker) {
  for (const auto& [id, sequence] : sequences_) {
    if (sequence.worker() == worker) UpdatePaused(sequence);
  }
}

void DenseCore::UpdatePaused(const DenseSequence& sequence) {
  scheduler_.SetPaused(sequence.id(), sequence.caller_paused() ||
                                          workers_.IsBusy(sequence.worker()));
}

// Sequences.

absl::StatusOr<LinkId> DenseCore::Place(SequenceId id,
                                        const GenerationRequest& request,
                                        std::optional<BlockHashes>& hashes) {
  RETURN_IF_ERROR(CheckRequest(request, stage_->config()));
  RETURN_IF_ERROR(CheckOwnNumerics(request, options_.numerics));
  RETURN_IF_ERROR(
      CheckPromptLogprobsFit(request, options_.scheduler.token_budget));
  const std::int64_t positions = MaxPositions(request);
  if (absl::Status fits = scheduler_.CheckFits(positions); !fits.ok()) {
    return TooLarge(request, std::move(fits));
  }
  const QueueSize waiting = {scheduler_.waiting(), scheduler_.waiting_tokens()};
  absl::Status room =
      CheckQueue({options_.max_waiting, options_.max_waiting_tokens}, waiting,
                 std::ssize(request.prompt));
  if (room.ok()) room = CheckWaitOf(request);
  if (!room.ok()) {
    SetRetryHint(queue_delay_.Estimate(waiting.tokens, clock_.Now()), room);
    return room;
  }
  ExpertWorkers::Wanted wanted = {.family = request.family,
                                  .key = id,
                                  .tokens = positions,
                                  .rows = std::ssize(request.prompt),
                                  .numerics = ExpertNumerics(request),
                                  .new_options = NeedsNewOptions(request)};
  if (hashes && workers_.AnyKeepsPrefixes()) {
    const int first = FirstNeeded(request, std::ssize(request.prompt));
    wanted.blocks = hashes->Of(request.prompt).first(first / kHashedTokens);
  }
  absl::StatusOr<LinkId> worker = workers_.Choose(wanted);
  if (absl::IsFailedPrecondition(worker.status())) {
    return TooLarge(request, worker.status());
  }
  return worker;
}

absl::Status DenseCore::CheckWaitOf(const GenerationRequest& request) {
  // Those that waited may have been cancelled, without a step since then.
  if (!scheduler_.AnyWaits()) full_with_.reset();
  // An answer that was begun elsewhere has been admitted before.
  if (!full_with_ || request.answer_tokens > 0) return absl::OkStatus();
  // Many may have ended at the same time, so that few run for a moment.
  return CheckWait(options_.max_waiting_per_running,
                   std::max(*full_with_, scheduler_.running()),
                   scheduler_.WaitingFrom(request.priority));
}

void DenseCore::NoteRoom() {
  if (scheduler_.LacksRoom()) {
    full_with_ = scheduler_.running();
  } else if (!scheduler_.AnyWaits()) {
    full_with_.reset();
  }
}

void DenseCore::FinishLate(absl::Duration now) {
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    Finish(deadlines_.begin()->second, TooLate());
  }
}

void DenseCore::Submit(SequenceId id, GenerationRequest request,
                       std::shared_ptr<GenerationSink> sink) {
  std::int64_t cache_tokens = scheduler_.capacity();
  if (const std::int64_t most = workers_.MostTokens(); most > 0) {
    cache_tokens = std::min(cache_tokens, most);
  }
  ShortenToCache(request, cache_tokens);
  if (request.deadline <= clock_.Now()) {
    sink->OnFinished(TooLate());
    return;
  }
  std::optional<BlockHashes> hashes;
  if (options_.prefix_caching) {
    hashes.emplace(options_.model_hash, options_.numerics, request);
  }
  const absl::StatusOr<LinkId> worker = Place(id, request, hashes);
  if (!worker.ok()) {
    sink->OnFinished(worker.status());
    return;
  }
  const int positions = static_cast<int>(MaxPositions(request));
  const int priority = request.priority;
  const std::string caller = request.caller;
  if (request.deadline < absl::InfiniteDuration()) {
    deadlines_.emplace(request.deadline, id);
  }
  const auto [it, added] = sequences_.try_emplace(
      id, id, std::move(request), *worker, std::move(sink), stage_->config(),
      std::move(hashes));
  APOLLO_CHECK(added);
  scheduler_.SetTime(clock_.Now());
  scheduler_.Add(id, static_cast<int>(it->second.fed_tokens().size()),
                 positions, priority, caller);
  UpdatePaused(it->second);
  CountSequences();
}

void DenseCore::Cancel(SequenceId id) {
  Finish(id, absl::CancelledError("the request was cancelled"));
}

void DenseCore::SetPaused(SequenceId id, bool paused) {
  const auto it = sequences_.find(id);
  if (it == sequences_.end()) return;
  it->second.SetCallerPaused(paused);
  UpdatePaused(it->second);
}

void DenseCore::Finish(SequenceId id,
                       absl::StatusOr<GenerationFinished> result) {
  const auto node = sequences_.extract(id);
  if (node.empty()) return;
  DenseSequence& sequence = node.mapped();
  moves_.Forget(id);
  deadlines_.erase({sequence.request().deadline, id});
  // As its worker, which has its blocks for later now.
  workers_.NoteHeld(sequence.worker(), sequence.AllHeld());
  Release(sequence);
  scheduler_.Remove(id);
  Leave(sequence.worker(), id);
  CountSequences();
  CountBlocks();
  sequence.Finish(std::move(result));
}

void DenseCore::Release(const DenseSequence& sequence) {
  ledger_.SendBehind(
      sequence.worker(),
      {ReleaseSequences{{{sequence.id(), sequence.attempt()}}}, {}});
}

void DenseCore::Leave(LinkId worker, SequenceId sequence) {
  workers_.Release(worker, sequence);
  for (auto& [id, held] : sequences_) {
    if (held.state() == SequenceState::kHeld && held.worker() == worker) {
      LetGo(held);
    }
  }
  if (workers_.HasLeft(worker)) workers_.Close(worker);  // LinkDown follows.
}

void DenseCore::Preempt(DenseSequence& sequence) {
  Release(sequence);
  sequence.Preempt();
  ++counters_.preemptions;
}

void DenseCore::Hold(DenseSequence& sequence) {
  Release(sequence);
  scheduler_.Preempt(sequence.id(), /*hold=*/true);
  sequence.Hold();
  SetRetry(sequence);
  ++counters_.preemptions;
}

void DenseCore::SetRetry(DenseSequence& held) {
  const bool others = std::any_of(
      sequences_.begin(), sequences_.end(), [&held](const auto& entry) {
        return entry.second.state() != SequenceState::kHeld &&
               entry.second.worker() == held.worker();
      });
  // One of the others will make room. Without others, nothing reports room made
  // by other dense workers. A worker that accepts no sequences is best left.
  if (others && workers_.Takes(held.worker())) return;
  held.SetRetryAt(clock_.Now() + held.NextPause());
}

void DenseCore::SetRetryFor(LinkId worker) {
  for (auto& [id, sequence] : sequences_) {
    if (sequence.state() == SequenceState::kHeld &&
        sequence.worker() == worker && !sequence.retry_at()) {
      SetRetry(sequence);
    }
  }
}

void DenseCore::LetGo(DenseSequence& held) {
  held.LetGo();
  scheduler_.Resume(held.id());
}

void DenseCore::MoveIfNeeded(DenseSequence& sequence) {
  const LinkId from = sequence.worker();
  if (workers_.Takes(from)) return;
  const absl::StatusOr<LinkId> other = workers_.Choose(WantedFor(sequence));
  if (!other.ok()) return;  // It may finish where it is.
  if (workers_.IsBusy(*other)) {
    workers_.Release(*other, sequence.id());
    return;
  }
  sequence.MoveTo(*other);
  Leave(from, sequence.id());
}

// Steps.

BlockTable DenseCore::FindCached(SequenceId id) const {
  if (!options_.prefix_caching) return {};
  const DenseSequence& sequence = sequences_.at(id);
  return prefixes_.Find(sequence.request().cache_salt, sequence.fed_tokens());
}

void DenseCore::Begin(const Scheduler::Admission& admission) {
  DenseSequence& sequence = sequences_.at(admission.sequence);
  queue_delay_.Admitted(std::ssize(sequence.fed_tokens()), clock_.Now());
  MoveIfNeeded(sequence);
  sequence.Admit();
  prefixes_.Use(scheduler_.blocks(admission.sequence),
                admission.cached_tokens / kBlockTokens);
  sequence.SetPublished(admission.cached_tokens / kBlockTokens);
  const std::string& numerics = workers_.info(sequence.worker()).numerics;
  const bool first = sequence.Start(
      {options_.name, workers_.name(sequence.worker()), admission.cached_tokens,
       SequenceNumerics{options_.numerics, numerics}});
  if (!first) return;
  sequence.SetNumerics(numerics);
  if (const int family = sequence.request().family; family >= 0) {
    ++(workers_.IsResident(sequence.worker(), family)
           ? counters_.placed_resident
           : counters_.placed_elsewhere);
  }
  counters_.prefix_queries += std::ssize(sequence.fed_tokens());
  counters_.prefix_hits += admission.cached_tokens;
}

std::optional<std::vector<std::uint64_t>> DenseCore::PrefixNews(
    absl::Duration now) {
  if (!options_.prefix_caching || announced_ == prefixes_.changes()) {
    return std::nullopt;
  }
  if (announced_ && now - announced_at_ < kPrefixPeriod) return std::nullopt;
  announced_ = prefixes_.changes();
  announced_at_ = now;
  return prefixes_.Recent(kMostPrefixes);
}

void DenseCore::Publish(const Scheduler::Slice& slice) {
  if (!options_.prefix_caching) return;
  DenseSequence& sequence = sequences_.at(slice.sequence);
  const int filled = (slice.first_position + slice.rows) / kBlockTokens;
  const int available = stage_->blocks().available();
  for (int block = sequence.published(); block < filled; ++block) {
    prefixes_.Publish(sequence.request().cache_salt, sequence.tokens(),
                      scheduler_.blocks(slice.sequence), block);
    sequence.SetPublished(block + 1);
  }
  // A block that another sequence has filled, too, is there only once now.
  if (stage_->blocks().available() > available) scheduler_.BlocksFreed();
}

bool DenseCore::MayBeginStep() const {
  return ledger_.InFlight([this](LinkId id) { return workers_.IsSilent(id); }) <
         options_.steps_in_flight;
}

bool DenseCore::HasWork() const {
  return MayBeginStep() && scheduler_.HasWork(ReplayRooms());
}

void DenseCore::AddRows(const Scheduler::Slice& slice, DenseStep& step,
                        StepLedger::Part& part) {
  DenseSequence& sequence = sequences_.at(slice.sequence);
  SequenceRows rows =
      sequence.Feed(slice, workers_.KeepsPrefixes(sequence.worker()));
  step.slices.push_back({&scheduler_.blocks(slice.sequence),
                         slice.first_position, slice.rows, slice.cached});
  step.tokens.insert(step.tokens.end(), rows.tokens.begin() + slice.cached,
                     rows.tokens.end());
  part.rows += slice.rows;
  if (slice.replays) {
    part.replayed += slice.rows;
    counters_.rows_replayed += slice.rows;
    moves_.Replayed(slice.sequence, slice.rows);
  }
  part.asked[{rows.sequence, rows.attempt}] = {
      sequence.request().language, sequence.request().family >= 0, slice.rows,
      slice.replays ? slice.rows : 0};
  part.sequences.push_back(std::move(rows));
}

void DenseCore::Advance() {
  FinishLate(clock_.Now());
  for (const LinkId id : workers_.FindFull()) UpdatePausedOn(id);
  FindBehind();
  if (!MayBeginStep()) return;
  const Scheduler::ReplayRooms rooms = ReplayRooms();
  if (!scheduler_.HasWork(rooms)) return;
  Scheduler::Step step = scheduler_.NextStep(rooms);
  NoteRoom();
  for (const SequenceId id : step.preempted) Preempt(sequences_.at(id));
  for (const Scheduler::Admission& admission : step.admitted) Begin(admission);
  CountSequences();
  CountBlocks();
  if (step.slices.empty()) return;

  // Rows of one worker are contiguous, so its part of the result is, too.
  const auto worker = [this](const Scheduler::Slice& slice) {
    return sequences_.at(slice.sequence).worker();
  };
  std::stable_sort(step.slices.begin(), step.slices.end(),
                   [&worker](const auto& a, const auto& b) {
                     return worker(a) < worker(b);
                   });
  DenseStep dense;
  std::vector<StepLedger::Part> parts;
  int decode_rows = 0;
  for (const Scheduler::Slice& slice : step.slices) {
    if (parts.empty() || parts.back().worker != worker(slice)) {
      parts.push_back({worker(slice), {}, 0, 0, {}});
    }
    AddRows(slice, dense, parts.back());
    const auto prompt = sequences_.at(slice.sequence).request().prompt.size();
    decode_rows += slice.rows == 1 && slice.cached == 0 &&
                   slice.first_position >= static_cast<int>(prompt);
  }
  ++counters_.steps;
  counters_.decode_rows += decode_rows;
  counters_.prompt_rows += std::ssize(dense.tokens) - decode_rows;
  counters_.step_rows.Observe(static_cast<double>(dense.tokens.size()));
  const std::uint64_t number = ledger_.Open(std::move(parts));
  ++steps_begun_;
  stage_->Forward(std::move(dense), [this, number, begun = clock_.Now()](
                                        const Rows& boundary) {
    ++steps_computed_;
    counters_.step_seconds.Observe(absl::ToDoubleSeconds(clock_.Now() - begun));
    ledger_.Computed(number, boundary);
  });
  for (const Scheduler::Slice& slice : step.slices) Publish(slice);
}

void DenseCore::CountSequences() {
  counters_.running = scheduler_.running();
  counters_.waiting = scheduler_.waiting();
  const auto& [lower, normal, higher] = scheduler_.waiting_by_sign();
  counters_.waiting_lower = lower;
  counters_.waiting_normal = normal;
  counters_.waiting_higher = higher;
  counters_.callers = scheduler_.callers();
}

void DenseCore::CountBlocks() {
  const BlockPool& pool = stage_->blocks();
  counters_.used_blocks = pool.total() - pool.available();
  counters_.blocks = pool.total();
  counters_.cache_usage = static_cast<double>(pool.total() - pool.available()) /
                          std::max(pool.total(), 1);
}

void DenseCore::CountWorkers() {
  counters_.linked_workers = workers_.size();
  counters_.ready_workers = workers_.ready();
  counters_.silent_workers = std::ssize(silent_);
}

}  // namespace apollo
