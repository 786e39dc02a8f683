#include "expert_worker/expert_core.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>

#include "common/check.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "kernels/logits.h"

namespace apollo {
namespace {

constexpr int kMaxBatchRows = 2048;
// Rows whose logits are in memory at once.
constexpr int kLogitRows = 16;

int RowCount(const SequenceRows& rows) {
  return static_cast<int>(rows.tokens.size());
}

// Better no answer than one that is noise.
absl::Status NotFinite() {
  return absl::InternalError(
      "the model's output is not finite: its weights may be damaged");
}

absl::Status NoRoom() {
  return absl::AbortedError("the expert worker made room for older sequences");
}

}  // namespace

// The steps that go through the layers together.
struct ExpertCore::Batch {
  struct Entry {
    int step = 0;  // Index into steps.
    SequenceKey key;
    const SequenceRows* rows = nullptr;  // In steps; its payload is consumed.
    int first_row = -1;  // In the batch; -1: has none, refused at once.
    std::vector<std::uint32_t> use;         // [sparse layers, experts]
    std::vector<std::uint32_t> off_family;  // [sparse layers]
    absl::Status status;
  };
  // Rows of one expert that a peer computes.
  struct Ticket {
    LinkId peer = 0;
    std::vector<int> choices;  // Indices into step.expert_outputs, in order.
  };

  std::vector<WaitingStep> steps;
  std::vector<Entry> entries;
  std::vector<int> entry_of_row;  // [rows]
  std::vector<int> pinned;        // [rows]
  ExpertStage::Step step;
  int layer = 0;
  bool dispatched = false;  // The layer's experts are chosen and under way.
  std::map<std::uint64_t, Ticket> tickets;
};

ExpertCore::ExpertCore(Options options, std::unique_ptr<ExpertStage> stage,
                       ExpertObserver& observer, const Clock& clock)
    : options_(options),
      stage_(std::move(stage)),
      observer_(observer),
      answers_(clock) {}

ExpertCore::~ExpertCore() = default;

void ExpertCore::LinkUp(LinkId id, const Hello& peer,
                        std::shared_ptr<Link> link) {
  peers_[id] = {peer, std::move(link)};
  SendReach(peers_[id]);
}

void ExpertCore::Drain() {
  draining_ = true;
  SendReachToAll(WorkerRole::kDense);
  SendReachToAll(WorkerRole::kExpert);
}

std::set<int> ExpertCore::ReachableExperts() const {
  std::set<int> experts = stage_->experts();
  for (const auto& [id, peer] : peers_) {
    if (peer.leaving) continue;
    experts.insert(peer.offers.begin(), peer.offers.end());
  }
  return experts;
}

void ExpertCore::SendReach(const Peer& peer) const {
  Reach reach;
  if (!draining_) {
    reach.experts = peer.hello.role == WorkerRole::kDense ? ReachableExperts()
                                                          : stage_->experts();
  }
  peer.link->Send({std::move(reach), {}});
}

void ExpertCore::SendReachToAll(WorkerRole role) const {
  for (const auto& [id, peer] : peers_) {
    if (peer.hello.role == role) SendReach(peer);
  }
}

void ExpertCore::GiveUp(LinkId id) {
  // Both processes may have dialled each other.
  const Hello gone = peers_.at(id).hello;
  for (auto& [other, peer] : peers_) {
    if (peer.hello.role != gone.role || peer.hello.name != gone.name ||
        peer.hello.instance != gone.instance) {
      continue;
    }
    answers_.Forget(other);
    peer.offers.clear();
    peer.link->Close();  // LinkDown follows.
  }
  SendReachToAll(WorkerRole::kDense);
}

void ExpertCore::LinkLeaving(LinkId id, bool leaving) {
  const auto peer = peers_.find(id);
  if (peer == peers_.end()) return;
  peer->second.leaving.reset();
  if (leaving) peer->second.leaving = opened_;
  SendReachToAll(WorkerRole::kDense);
}

void ExpertCore::CloseLeft() {
  std::uint64_t oldest = std::numeric_limits<std::uint64_t>::max();
  for (const auto& [key, sequence] : sequences_) {
    oldest = std::min(oldest, sequence.opened);
  }
  for (auto& [id, peer] : peers_) {
    if (peer.leaving && *peer.leaving < oldest) peer.link->Close();
  }
}

void ExpertCore::LinkDown(LinkId id) {
  const auto peer = peers_.find(id);
  if (peer == peers_.end()) return;
  const bool was_expert = peer->second.hello.role == WorkerRole::kExpert;
  peers_.erase(peer);
  if (was_expert) SendReachToAll(WorkerRole::kDense);
  answers_.Forget(id);
  std::erase_if(waiting_, [id](const WaitingStep& w) { return w.from == id; });
  std::vector<SequenceKey> gone;
  for (auto it = sequences_.lower_bound({id, 0});
       it != sequences_.end() && it->first.first == id; ++it) {
    gone.push_back(it->first);
  }
  for (const SequenceKey& key : gone) ReleaseOne(key);
  std::erase_if(evicted_, [id](const auto& e) { return e.first.first == id; });
  if (!batch_) return;
  for (auto it = batch_->tickets.begin(); it != batch_->tickets.end();) {
    if (it->second.peer != id) {
      ++it;
      continue;
    }
    FailRows(it->second.choices,
             absl::UnavailableError("an expert worker was lost"));
    it = batch_->tickets.erase(it);
  }
}

void ExpertCore::Tick(absl::Duration now) {
  CloseLeft();
  for (const LinkId id : answers_.SilentFor(options_.answer_timeout, now)) {
    LogError("expert_worker_does_not_answer",
             {{"peer", peers_.at(id).hello.name},
              {"seconds", absl::ToDoubleSeconds(options_.answer_timeout)}});
    GiveUp(id);
  }
}

void ExpertCore::LinkFrame(LinkId id, Frame frame) {
  const auto it = peers_.find(id);
  if (it == peers_.end()) return;  // Closed below, but not down yet.
  answers_.Progressed(id);
  if (std::holds_alternative<Progress>(frame.body)) return;
  absl::Status status;
  if (auto* step = std::get_if<StageStep>(&frame.body)) {
    status = AddStep(id, std::move(*step), std::move(frame.payload));
  } else if (auto* release = std::get_if<ReleaseSequences>(&frame.body)) {
    Release(id, *release);
  } else if (auto* rows = std::get_if<ExpertRows>(&frame.body)) {
    status = ServeRows(it->second, *rows, frame.payload);
  } else if (auto* outputs = std::get_if<ExpertOutputs>(&frame.body)) {
    status = TakeOutputs(id, *outputs, frame.payload);
  } else if (auto* reach = std::get_if<Reach>(&frame.body);
             reach != nullptr && it->second.hello.role == WorkerRole::kExpert) {
    it->second.offers = std::move(reach->experts);
    SendReachToAll(WorkerRole::kDense);
  } else {
    status =
        absl::InvalidArgumentError("a frame that no expert worker expects");
  }
  if (!status.ok()) {
    LogError("peer_broke_the_protocol",
             {{"peer", it->second.hello.name},
              {"reason", std::string(status.message())}});
    it->second.link->Close();
  }
}

absl::Status ExpertCore::AddStep(LinkId from, StageStep step, Rows payload) {
  std::size_t rows = 0;
  const ModelConfig& config = stage_->config();
  std::set<std::uint64_t> seen;
  for (const SequenceRows& sequence : step.sequences) {
    rows += sequence.tokens.size();
    if (!seen.insert(sequence.sequence).second) {
      return absl::InvalidArgumentError("a step with one sequence twice");
    }
    if (sequence.tokens.empty() ||
        sequence.score_targets.size() > sequence.tokens.size() ||
        sequence.first_position < 0 ||
        sequence.first_position > config.max_context - RowCount(sequence) ||
        sequence.start.has_value() != (sequence.first_position == 0)) {
      return absl::InvalidArgumentError("a step with impossible rows");
    }
    const auto bad = [&config](std::int32_t token) {
      return token < 0 || token >= config.vocab_size;
    };
    if (std::any_of(sequence.tokens.begin(), sequence.tokens.end(), bad) ||
        std::any_of(sequence.score_targets.begin(),
                    sequence.score_targets.end(), bad)) {
      return absl::InvalidArgumentError("a step with an unknown token");
    }
    if (sequence.start &&
        (sequence.start->family < -1 ||
         sequence.start->family >= config.num_experts ||
         (sequence.start->hybrid && sequence.start->family < 0))) {
      return absl::InvalidArgumentError("a sequence with an unknown family");
    }
  }
  if (payload.numbers() != rows * config.hidden_size) {
    return absl::InvalidArgumentError(
        absl::StrCat("a step of ", rows, " rows with ", payload.numbers(),
                     " numbers instead of ", rows * config.hidden_size));
  }
  waiting_.push_back({from, std::move(step), std::move(payload)});
  return absl::OkStatus();
}

absl::Status ExpertCore::ServeRows(const Peer& peer, const ExpertRows& rows,
                                   const Rows& payload) {
  const ModelConfig& config = stage_->config();
  if (rows.layer < config.boundary || rows.layer >= config.num_layers ||
      payload.empty() || payload.numbers() % config.hidden_size != 0) {
    return absl::InvalidArgumentError("rows of an impossible layer or size");
  }
  if (!stage_->IsResident(rows.expert)) {
    peer.link->Send(
        {ExpertOutputs{rows.ticket, absl::NotFoundError(absl::StrCat(
                                        "expert ", rows.expert,
                                        " is not resident on this worker"))},
         {}});
    return absl::OkStatus();
  }
  const int count = static_cast<int>(payload.numbers() / config.hidden_size);
  Rows out = Rows::Host(count, config.hidden_size);
  // In pieces, so that a peer's many rows take no more memory for what lies
  // between; a row's result does not depend on the others.
  constexpr int kPiece = 512;
  for (int first = 0; first < count; first += kPiece) {
    const std::size_t at = std::size_t(first) * config.hidden_size;
    stage_->RunExpert(rows.layer, rows.expert, &payload.host()[at],
                      std::min(kPiece, count - first), &out.host()[at]);
  }
  observer_.OnRowsServed(count);
  peer.link->Send({ExpertOutputs{rows.ticket, {}}, std::move(out)});
  return absl::OkStatus();
}

absl::Status ExpertCore::TakeOutputs(LinkId from, const ExpertOutputs& outputs,
                                     const Rows& payload) {
  answers_.Answered(from);
  if (!batch_) return absl::OkStatus();  // Of a batch that is over.
  const auto it = batch_->tickets.find(outputs.ticket);
  if (it == batch_->tickets.end()) return absl::OkStatus();
  if (it->second.peer != from) {
    return absl::InvalidArgumentError("expert outputs that another peer owes");
  }
  const std::vector<int>& choices = it->second.choices;
  const std::size_t size = stage_->config().hidden_size;
  if (!outputs.status.ok()) {
    FailRows(choices, absl::UnavailableError(outputs.status.message()));
  } else if (payload.numbers() != choices.size() * size) {
    FailRows(choices,
             absl::UnavailableError("an expert worker broke the rules"));
    batch_->tickets.erase(it);
    return absl::InvalidArgumentError("expert outputs of the wrong size");
  } else {
    for (std::size_t i = 0; i < choices.size(); ++i) {
      std::copy_n(&payload.host()[i * size], size,
                  &batch_->step.expert_outputs[choices[i] * size]);
    }
  }
  batch_->tickets.erase(it);
  return absl::OkStatus();
}

void ExpertCore::Release(LinkId from, const ReleaseSequences& release) {
  for (const ReleaseSequences::Item& item : release.items) {
    const SequenceKey key = {from, item.sequence};
    // Steps of it that wait are not worth computing any more.
    for (WaitingStep& waiting : waiting_) {
      if (waiting.from != from) continue;
      for (SequenceRows& rows : waiting.step.sequences) {
        if (rows.sequence == item.sequence && rows.attempt == item.attempt) {
          rows.start.reset();  // Prepare will refuse it: see there.
        }
      }
    }
    const auto it = sequences_.find(key);
    if (it != sequences_.end() && it->second.attempt == item.attempt) {
      ReleaseOne(key);
    }
    const auto evicted = evicted_.find(key);
    if (evicted != evicted_.end() && evicted->second == item.attempt) {
      evicted_.erase(evicted);
    }
  }
}

void ExpertCore::ReleaseOne(const SequenceKey& key) {
  if (batch_) {
    // The batch may be using its blocks.
    release_after_batch_.push_back(key);
    return;
  }
  const auto it = sequences_.find(key);
  if (it == sequences_.end()) return;
  stage_->cache().pool().Release(it->second.blocks);
  observer_.OnClosed(it->second.opened, peers_.contains(key.first)
                                            ? absl::StatusCode::kOk
                                            : absl::StatusCode::kUnavailable);
  sequences_.erase(it);
}

bool ExpertCore::HasWork() const {
  return batch_ ? batch_->tickets.empty() : !waiting_.empty();
}

void ExpertCore::Advance() {
  if (!batch_) {
    if (waiting_.empty()) return;
    StartBatch();
    return;
  }
  if (!batch_->tickets.empty()) return;
  if (batch_->layer == stage_->config().num_layers) {
    FinishBatch();
  } else if (!batch_->dispatched) {
    RunLayer();
  } else {
    FinishLayer();
  }
}

absl::Status ExpertCore::Prepare(LinkId from, const SequenceRows& rows) {
  const SequenceKey key = {from, rows.sequence};
  if (const auto evicted = evicted_.find(key); evicted != evicted_.end()) {
    if (evicted->second >= rows.attempt) return NoRoom();
    evicted_.erase(evicted);
  }
  auto it = sequences_.find(key);
  if (rows.first_position == 0) {
    if (!rows.start) return absl::CancelledError("released");
    if (it != sequences_.end()) {
      if (it->second.attempt >= rows.attempt) {
        return absl::FailedPreconditionError("a sequence began twice");
      }
      stage_->cache().pool().Release(it->second.blocks);
      observer_.OnClosed(it->second.opened, absl::StatusCode::kAborted);
      sequences_.erase(it);
    }
    it = sequences_
             .insert({key, {rows.attempt, *rows.start, {}, 0, {}, ++opened_}})
             .first;
    observer_.OnOpened(opened_, rows.start->prompt_tokens);
  }
  if (it == sequences_.end() || it->second.attempt != rows.attempt ||
      it->second.next_position != rows.first_position) {
    return absl::FailedPreconditionError(
        "rows of a sequence that is not at this position here");
  }
  Sequence& sequence = it->second;
  if (!MakeRoom(key, BlocksFor(rows.first_position + RowCount(rows)))) {
    if (sequences_.size() == 1) {
      return absl::FailedPreconditionError(absl::StrCat(
          "the sequence takes ", rows.first_position + RowCount(rows),
          " tokens so far, but the cache of the expert worker holds ",
          stage_->cache().tokens(),
          "; ask for fewer: trying again cannot help"));
    }
    Evict(key);
    return NoRoom();
  }
  sequence.next_position += RowCount(rows);
  if (sequence.start.sampling.presence_penalty != 0 ||
      sequence.start.sampling.frequency_penalty != 0) {
    for (int r = 0; r < RowCount(rows); ++r) {
      if (rows.first_position + r >= sequence.start.prompt_tokens) {
        ++sequence.generated[rows.tokens[r]];
      }
    }
  }
  return absl::OkStatus();
}

bool ExpertCore::MakeRoom(const SequenceKey& key, int blocks) {
  BlockTable& table = sequences_.at(key).blocks;
  while (!stage_->cache().pool().Extend(table, blocks)) {
    const auto last = std::max_element(
        sequences_.begin(), sequences_.end(), [](const auto& a, const auto& b) {
          return a.second.opened < b.second.opened;
        });
    if (last->first == key) return false;
    Evict(SequenceKey(last->first));
  }
  return true;
}

void ExpertCore::Evict(const SequenceKey& key) {
  Sequence& sequence = sequences_.at(key);
  evicted_[key] = sequence.attempt;
  stage_->cache().pool().Release(sequence.blocks);
  observer_.OnClosed(sequence.opened, absl::StatusCode::kAborted);
  sequences_.erase(key);
  observer_.OnPreemption();
}

void ExpertCore::StartBatch() {
  const ModelConfig& config = stage_->config();
  const int size = config.hidden_size;
  std::vector<WaitingStep> steps;
  std::vector<Batch::Entry> entries;
  int rows = 0;
  // Two attempts at one sequence never share a batch: the later one replaces
  // the blocks of the earlier one.
  std::map<SequenceKey, std::uint32_t> attempts;
  const auto mixes_attempts = [&attempts](const WaitingStep& waiting) {
    for (const SequenceRows& s : waiting.step.sequences) {
      const auto it = attempts.find({waiting.from, s.sequence});
      if (it != attempts.end() && it->second != s.attempt) return true;
    }
    return false;
  };
  while (!waiting_.empty() && (steps.empty() || rows < kMaxBatchRows) &&
         !mixes_attempts(waiting_.front())) {
    for (const SequenceRows& s : waiting_.front().step.sequences) {
      rows += RowCount(s);
      attempts[{waiting_.front().from, s.sequence}] = s.attempt;
    }
    steps.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
  for (std::size_t s = 0; s < steps.size(); ++s) {
    for (const SequenceRows& sequence : steps[s].step.sequences) {
      Batch::Entry entry;
      entry.step = static_cast<int>(s);
      entry.key = {steps[s].from, sequence.sequence};
      entry.rows = &sequence;
      entry.status = Prepare(steps[s].from, sequence);
      entry.use.resize(static_cast<std::size_t>(config.num_sparse_layers()) *
                       config.num_experts);
      entry.off_family.resize(config.num_sparse_layers());
      entries.push_back(std::move(entry));
    }
  }
  // Only now is it known who has blocks: a later entry may have extended a
  // table again, or taken all of it.
  std::vector<float> boundary;
  std::vector<int> entry_of_row;
  std::vector<int> pinned;
  std::vector<BatchSlice> slices;
  const float* payload = nullptr;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    Batch::Entry& entry = entries[i];
    if (i == 0 || entries[i - 1].step != entry.step) {
      payload = std::as_const(steps[entry.step].boundary).host().data();
    }
    const int count = RowCount(*entry.rows);
    const float* const rows_of_entry = payload;
    payload += static_cast<std::ptrdiff_t>(count) * size;
    const auto sequence = sequences_.find(entry.key);
    if (entry.status.ok() &&
        (sequence == sequences_.end() ||
         sequence->second.attempt != entry.rows->attempt)) {
      entry.status = NoRoom();
    }
    if (!entry.status.ok()) continue;
    const SequenceStart& start = sequence->second.start;
    entry.first_row = static_cast<int>(entry_of_row.size());
    boundary.insert(boundary.end(), rows_of_entry, payload);
    entry_of_row.insert(entry_of_row.end(), count, static_cast<int>(i));
    pinned.insert(pinned.end(), count, start.hybrid ? start.family : -1);
    slices.push_back(
        {&sequence->second.blocks, entry.rows->first_position, count});
  }
  observer_.OnBatch(static_cast<int>(entry_of_row.size()));
  batch_.reset(new Batch{std::move(steps),
                         std::move(entries),
                         std::move(entry_of_row),
                         std::move(pinned),
                         stage_->Begin(std::move(slices), std::move(boundary)),
                         config.boundary,
                         false,
                         {}});
  if (batch_->entry_of_row.empty()) batch_->layer = config.num_layers;
}

void ExpertCore::RunLayer() {
  stage_->Attend(batch_->step, batch_->layer);
  stage_->Route(batch_->step, batch_->layer, batch_->pinned);
  batch_->dispatched = true;
  CountRouting();
  DispatchExperts();
}

void ExpertCore::CountRouting() {
  const ModelConfig& config = stage_->config();
  const int k = config.experts_per_token;
  const std::size_t layer = batch_->layer - config.boundary;
  const ExpertStage::Step& step = batch_->step;
  for (Batch::Entry& entry : batch_->entries) {
    if (!entry.status.ok()) continue;  // In an earlier layer, or never begun.
    const SequenceStart& start = sequences_.at(entry.key).start;
    const std::span<std::uint32_t> use = std::span(entry.use).subspan(
        layer * config.num_experts, config.num_experts);
    const int rows = RowCount(*entry.rows);
    for (int r = entry.first_row; r < entry.first_row + rows; ++r) {
      bool has_family_expert = false;
      for (int j = 0; j < k; ++j) {
        const int expert =
            step.choices[static_cast<std::size_t>(r) * k + j].expert;
        ++use[expert];
        has_family_expert = has_family_expert || expert == start.family;
      }
      // A pinned expert that replaced another was not the gate's choice.
      if (start.family >= 0 && (!has_family_expert || step.replaced[r])) {
        ++entry.off_family[layer];
      }
    }
    observer_.OnRouted({batch_->layer, start.language, rows, use,
                        start.family >= 0,
                        static_cast<int>(entry.off_family[layer])});
  }
}

void ExpertCore::DispatchExperts() {
  const ModelConfig& config = stage_->config();
  const int k = config.experts_per_token;
  const std::size_t size = config.hidden_size;
  const int layer = batch_->layer;
  ExpertStage::Step& step = batch_->step;

  std::map<int, std::vector<int>> choices_of;  // Expert -> indices of choices.
  for (int c = 0; c < static_cast<int>(step.choices.size()); ++c) {
    const int expert = step.choices[c].expert;
    const Batch::Entry& entry = batch_->entries[batch_->entry_of_row[c / k]];
    if (entry.status.ok()) choices_of[expert].push_back(c);
  }
  const auto gather = [&](const std::vector<int>& choices) {
    Rows x = Rows::Host(static_cast<int>(choices.size()), config.hidden_size);
    for (std::size_t i = 0; i < choices.size(); ++i) {
      std::copy_n(&step.normed[choices[i] / k * size], size,
                  &x.host()[i * size]);
    }
    return x;
  };
  // Rows for others leave first, so that they compute while this worker does.
  for (const auto& [expert, choices] : choices_of) {
    if (stage_->IsResident(expert)) continue;
    const auto peer = std::find_if(peers_.begin(), peers_.end(),
                                   [e = expert](const auto& entry) {
                                     return entry.second.offers.contains(e);
                                   });
    if (peer == peers_.end()) {
      FailRows(choices, absl::UnavailableError(absl::StrCat(
                            "no live worker has expert ", expert)));
      continue;
    }
    const std::uint64_t ticket = next_ticket_++;
    batch_->tickets[ticket] = {peer->first, choices};
    observer_.OnRowsSent(static_cast<int>(choices.size()));
    answers_.Asked(peer->first);
    peer->second.link->Send(
        {ExpertRows{ticket, layer, expert}, gather(choices)});
  }
  for (const auto& [expert, choices] : choices_of) {
    if (!stage_->IsResident(expert)) continue;
    const Rows x = gather(choices);
    std::vector<float> out(x.numbers());
    stage_->RunExpert(layer, expert, x.host().data(),
                      static_cast<int>(choices.size()), out.data());
    for (std::size_t i = 0; i < choices.size(); ++i) {
      std::copy_n(&out[i * size], size,
                  &step.expert_outputs[choices[i] * size]);
    }
  }
}

void ExpertCore::FailRows(const std::vector<int>& choices,
                          const absl::Status& status) {
  const int k = stage_->config().experts_per_token;
  const std::size_t size = stage_->config().hidden_size;
  for (const int c : choices) {
    std::fill_n(&batch_->step.expert_outputs[c * size], size, 0.0f);
    Batch::Entry& entry = batch_->entries[batch_->entry_of_row[c / k]];
    if (entry.status.ok()) entry.status = status;
  }
}

void ExpertCore::FinishLayer() {
  stage_->Combine(batch_->step, batch_->layer);
  ++batch_->layer;
  batch_->dispatched = false;
}

void ExpertCore::FinishBatch() {
  const ModelConfig& config = stage_->config();
  std::vector<SequenceOutput> outputs(batch_->entries.size());
  // Rows whose logits are wanted, with what for.
  struct Wanted {
    int entry;
    int row;     // In the batch.
    int target;  // Index into score_targets, or -1: sample.
  };
  std::vector<Wanted> wanted;
  for (std::size_t i = 0; i < batch_->entries.size(); ++i) {
    const Batch::Entry& entry = batch_->entries[i];
    const SequenceRows& rows = *entry.rows;
    const int count = RowCount(rows);
    outputs[i].sequence = rows.sequence;
    outputs[i].attempt = rows.attempt;
    outputs[i].position = rows.first_position + count - 1;
    outputs[i].status = entry.status;
    outputs[i].expert_use = entry.use;
    outputs[i].off_family = entry.off_family;
    if (!entry.status.ok()) continue;
    const int targets = static_cast<int>(rows.score_targets.size());
    for (int t = 0; t < targets; ++t) {
      wanted.push_back(
          {static_cast<int>(i), entry.first_row + count - targets + t, t});
    }
    if (rows.sample) {
      wanted.push_back({static_cast<int>(i), entry.first_row + count - 1, -1});
    }
  }
  std::vector<float> logits;
  for (std::size_t first = 0; first < wanted.size(); first += kLogitRows) {
    const std::size_t count =
        std::min<std::size_t>(kLogitRows, wanted.size() - first);
    std::vector<int> rows;
    for (std::size_t i = 0; i < count; ++i)
      rows.push_back(wanted[first + i].row);
    logits.resize(count * config.vocab_size);
    stage_->Logits(batch_->step, rows, logits.data());
    std::vector<SampledToken> sampled(count);
    stage_->pool().ParallelFor(
        count, 1, [&](std::int64_t begin, std::int64_t end) {
          for (std::int64_t i = begin; i < end; ++i) {
            const Wanted& w = wanted[first + i];
            float* row = &logits[i * config.vocab_size];
            const Batch::Entry& entry = batch_->entries[w.entry];
            if (w.target >= 0) {
              sampled[i].logprob = row[entry.rows->score_targets[w.target]] -
                                   LogSumExp(row, config.vocab_size);
              continue;
            }
            const Sequence& sequence = sequences_.at(entry.key);
            sampled[i] =
                Sample(row, config.vocab_size, sequence.start.sampling,
                       sequence.generated, outputs[w.entry].position + 1,
                       sequence.start.top_logprobs);
          }
        });
    for (std::size_t i = 0; i < count; ++i) {
      const Wanted& w = wanted[first + i];
      SequenceOutput& output = outputs[w.entry];
      if (!std::isfinite(sampled[i].logprob)) {
        output.status = NotFinite();
        continue;
      }
      if (w.target >= 0) {
        output.score_logprobs.push_back(sampled[i].logprob);
        continue;
      }
      observer_.OnSampled(sequences_.at(batch_->entries[w.entry].key).opened);
      output.sampled = TokenLogprob{sampled[i].token, sampled[i].logprob};
      output.alternatives = std::move(sampled[i].alternatives);
    }
  }
  // One answer for each step, in their order.
  std::vector<StageResult> results(batch_->steps.size());
  for (std::size_t s = 0; s < results.size(); ++s) {
    results[s].step = batch_->steps[s].step.step;
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    results[batch_->entries[i].step].outputs.push_back(std::move(outputs[i]));
  }
  std::vector<LinkId> to;
  for (const WaitingStep& step : batch_->steps) to.push_back(step.from);
  batch_.reset();
  for (std::size_t s = 0; s < results.size(); ++s) {
    const auto peer = peers_.find(to[s]);
    if (peer != peers_.end())
      peer->second.link->Send({std::move(results[s]), {}});
  }
  for (const SequenceKey& key : std::exchange(release_after_batch_, {})) {
    ReleaseOne(key);
  }
}

}  // namespace apollo
