#include "expert_worker/sequence_table.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/check.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "engine/cache_size.h"

namespace apollo {
namespace {

absl::Status NoRoom() {
  return absl::AbortedError("the expert worker made room for older sequences");
}

void AddTo(std::vector<std::uint32_t>& sums,
           const std::vector<std::uint8_t>& numbers) {
  sums.resize(numbers.size());
  for (std::size_t i = 0; i < numbers.size(); ++i) sums[i] += numbers[i];
}

}  // namespace

absl::Status SequenceTable::Refused(const Refusal& refusal) {
  if (!refusal.held) return NoRoom();
  return absl::NotFoundError(
      absl::StrCat("the expert worker has only ", *refusal.held,
                   " tokens of the beginning of the sequence"));
}

int SequenceTable::HeldTokens(const SequenceKey& key) const {
  const auto it = refused_.find(key);
  return it == refused_.end() ? 0 : it->second.held.value_or(0);
}

int SequenceTable::AvailableWithout(
    std::span<const Sequence* const> ended) const {
  // References that they would release, by block. Not a map: this is asked for
  // each waiting row, whenever the next piece of work is chosen.
  std::vector<int> given(blocks_.total());
  int available = blocks_.available();
  for (const Sequence* sequence : ended) {
    for (const BlockId block : sequence->blocks) {
      available += ++given[block] == blocks_.references(block);
    }
  }
  return available;
}

bool SequenceTable::MustWait(LinkId from, const SequenceRows& rows) const {
  if (in_use_.empty() || rows.start) return false;
  const Sequence* const sequence = Find({from, rows.sequence}, rows.attempt);
  if (sequence == nullptr) return false;
  const int end = rows.first_position + static_cast<int>(rows.tokens.size());
  const int missing =
      BlocksFor(end) - static_cast<int>(sequence->blocks.size());
  if (missing <= blocks_.available()) return false;
  std::vector<const Sequence*> idle, younger;
  for (const auto& [key, other] : sequences_) {
    if (other.opened <= sequence->opened) continue;
    if (!InUse(key)) idle.push_back(&other);
    younger.push_back(&other);
  }
  return missing > AvailableWithout(idle) &&
         missing <= AvailableWithout(younger);
}

absl::Status SequenceTable::Admit(LinkId from, const SequenceRows& rows) {
  const SequenceKey key = {from, rows.sequence};
  APOLLO_CHECK(!InUse(key));
  const int end = rows.first_position + static_cast<int>(rows.tokens.size());
  if (const auto refused = refused_.find(key); refused != refused_.end()) {
    if (refused->second.attempt >= rows.attempt) {
      return Refused(refused->second);
    }
    refused_.erase(refused);
  }
  auto it = sequences_.find(key);
  if (rows.start) {
    if (it != sequences_.end()) {
      if (it->second.attempt >= rows.attempt) {
        return absl::FailedPreconditionError("the sequence began twice");
      }
      Close(it, absl::StatusCode::kAborted);
    }
    ASSIGN_OR_RETURN(it, Open(key, rows));
  }
  if (it == sequences_.end() || it->second.attempt != rows.attempt ||
      it->second.next_position != rows.first_position) {
    return absl::FailedPreconditionError(
        "the rows do not begin at the position of their sequence");
  }
  Sequence& sequence = it->second;
  if (!MakeRoom(key, BlocksFor(end))) {
    if (sequences_.size() == 1) {
      return absl::FailedPreconditionError(absl::StrCat(
          "the sequence takes ", end,
          " tokens so far, but the cache of the expert worker holds ",
          CacheTokens(blocks_),
          "; request fewer tokens: a retry would fail too"));
    }
    Evict(key);
    return NoRoom();
  }
  sequence.next_position = end;
  // A sequence whose first blocks have no hash has none at all.
  if (rows.start || static_cast<int>(sequence.hashes.size()) ==
                        rows.first_position / kBlockTokens) {
    sequence.hashes.insert(sequence.hashes.end(), rows.block_hashes.begin(),
                           rows.block_hashes.end());
  }
  const SamplingOptions& sampling = sequence.start.sampling;
  if (sampling.presence_penalty != 0 || sampling.frequency_penalty != 0) {
    for (int p = rows.first_position; p < end; ++p) {
      if (p < sequence.start.prompt_tokens) continue;
      ++sequence.generated[rows.tokens[p - rows.first_position]];
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<SequenceTable::Sequences::iterator> SequenceTable::Open(
    const SequenceKey& key, const SequenceRows& rows) {
  BlockTable held;
  if (rows.first_position > 0) {
    const std::size_t before = rows.first_position / kBlockTokens;
    if (keep_prefixes_) {
      held = prefixes_.Find(std::span(rows.block_hashes).first(before));
    }
    if (held.size() < before) {
      ++counters_.prefix_misses;
      const int tokens = static_cast<int>(held.size()) * kBlockTokens;
      return Refused(refused_[key] = {rows.attempt, tokens});
    }
  }
  const auto it = sequences_.try_emplace(key).first;
  Sequence& sequence = it->second;
  sequence.attempt = rows.attempt;
  sequence.start = *rows.start;
  sequence.opened = ++opened_;
  Share(held, sequence);
  if (keep_prefixes_ && !rows.block_hashes.empty()) {
    counters_.prefix_queries +=
        std::max(rows.start->prompt_tokens, rows.first_position);
    counters_.prefix_hits += rows.first_position;
  }
  ++counters_.sequences;
  counters_.running = size();
  if (requests_ != nullptr) {
    sequence.request = std::make_unique<RequestMetrics::Request>(
        *requests_, "Sequence", clock_.Now());
    sequence.request->PromptTokens(rows.start->prompt_tokens);
  }
  if (tracer_ != nullptr) {
    sequence.trace =
        SequenceTrace::Begin(tracer_, rows.start->trace, clock_.Now());
    if (sequence.trace != nullptr) ++traced_;
  }
  return it;
}

void SequenceTable::Share(const BlockTable& held, Sequence& sequence) {
  for (const BlockId block : held) {
    blocks_.AddReference(block);
    const BlockUse& use = prefixes_.use(block);
    AddTo(sequence.held_expert_use, use.by_expert);
    AddTo(sequence.held_off_family, use.off_family);
  }
  sequence.blocks = held;
  sequence.computed = static_cast<int>(held.size()) * kBlockTokens;
  sequence.next_position = sequence.computed;
  const SequenceStart& start = sequence.start;
  if (start.hybrid) return;
  // They may have been computed for another family, which changes nothing but
  // this count: a gate that is free either chose the family's expert or not.
  const std::size_t layers = sequence.held_off_family.size();
  for (std::size_t layer = 0; layer < layers; ++layer) {
    const std::size_t experts = sequence.held_expert_use.size() / layers;
    sequence.held_off_family[layer] =
        start.family < 0
            ? 0
            : static_cast<std::uint32_t>(sequence.computed) -
                  sequence
                      .held_expert_use[layer * experts +
                                       static_cast<std::size_t>(start.family)];
  }
}

void SequenceTable::Computed(const SequenceKey& key, const SequenceRows& rows,
                             std::span<const BlockUse> use) {
  const auto it = sequences_.find(key);
  if (!keep_prefixes_ || it == sequences_.end()) return;
  Sequence& sequence = it->second;
  if (sequence.attempt != rows.attempt ||
      sequence.computed != rows.first_position) {
    return;
  }
  sequence.computed += static_cast<int>(rows.tokens.size());
  int block = rows.first_position / kBlockTokens;
  for (const BlockUse& some : use) {
    sequence.use.Add(some);
    if ((block + 1) * kBlockTokens > sequence.computed) return;
    if (block < static_cast<int>(sequence.hashes.size())) {
      prefixes_.Publish(sequence.hashes[block], std::move(sequence.use),
                        sequence.blocks, block);
    }
    sequence.use = {};
    ++block;
  }
}

const SequenceTable::Sequence* SequenceTable::Find(
    const SequenceKey& key, std::uint32_t attempt) const {
  const auto it = sequences_.find(key);
  return it != sequences_.end() && it->second.attempt == attempt ? &it->second
                                                                 : nullptr;
}

std::uint64_t SequenceTable::oldest() const {
  std::uint64_t oldest = std::numeric_limits<std::uint64_t>::max();
  for (const auto& [key, sequence] : sequences_) {
    oldest = std::min(oldest, sequence.opened);
  }
  return oldest;
}

bool SequenceTable::MakeRoom(const SequenceKey& key, int blocks) {
  BlockTable& table = sequences_.at(key).blocks;
  while (!blocks_.Extend(table, blocks)) {
    auto last = sequences_.end();
    for (auto it = sequences_.begin(); it != sequences_.end(); ++it) {
      if (!InUse(it->first) && (last == sequences_.end() ||
                                it->second.opened > last->second.opened)) {
        last = it;
      }
    }
    if (last->first == key) return false;
    Evict(SequenceKey(last->first));
  }
  return true;
}

void SequenceTable::Evict(const SequenceKey& key) {
  const auto it = sequences_.find(key);
  refused_[key] = {it->second.attempt, std::nullopt};
  Close(it, absl::StatusCode::kAborted);
  ++counters_.preemptions;
}

void SequenceTable::Close(Sequences::iterator it, absl::StatusCode code) {
  auto closed = sequences_.extract(it);
  blocks_.Release(closed.mapped().blocks);
  counters_.running = size();
  if (requests_ != nullptr) Count(closed.mapped(), code);
  Sequence& sequence = closed.mapped();
  if (sequence.trace != nullptr) {
    --traced_;
    sequence.trace->End({sequence.start.request_id, sequence.attempt,
                         sequence.next_position, code},
                        clock_.Now());
  }
}

void SequenceTable::Count(const Sequence& sequence, absl::StatusCode code) {
  const std::string name = absl::StatusCodeToString(code);
  sequence.request->End(name, clock_.Now());
  const std::optional<std::int64_t> held_back = log_budget_.Take();
  if (!held_back) return;
  std::vector<LogField> fields = {{"request_id", sequence.start.request_id},
                                  {"code", name},
                                  {"attempt", std::int64_t{sequence.attempt}},
                                  {"positions", sequence.next_position},
                                  {"held_back", *held_back}};
  if (sequence.trace != nullptr) {
    fields.emplace_back("trace_id", TraceIdText(*sequence.start.trace));
  }
  LogInfo("sequence_closed", fields);
}

void SequenceTable::CloseLater(const SequenceKey& key, absl::StatusCode code) {
  if (InUse(key)) {
    close_after_use_.try_emplace(key, code);
    return;
  }
  const auto it = sequences_.find(key);
  if (it != sequences_.end()) Close(it, code);
}

void SequenceTable::NoteComputed(std::span<const SequenceKey> keys,
                                 absl::Duration begun) {
  if (!traces()) return;
  const absl::Duration now = clock_.Now();
  for (const SequenceKey& key : std::set(keys.begin(), keys.end())) {
    SequenceTrace* const trace = sequences_.at(key).trace.get();
    if (trace != nullptr) trace->Computed(begun, now);
  }
}

void SequenceTable::NoteCame(std::span<const SequenceKey> keys,
                             absl::Duration sent) {
  if (!traces()) return;
  const absl::Duration now = clock_.Now();
  for (const SequenceKey& key : std::set(keys.begin(), keys.end())) {
    SequenceTrace* const trace = sequences_.at(key).trace.get();
    if (trace != nullptr) trace->Came(sent, now);
  }
}

void SequenceTable::BeginUse(std::span<const SequenceKey> keys) {
  for (const SequenceKey& key : keys) ++in_use_[key];
}

void SequenceTable::EndUse(std::span<const SequenceKey> keys) {
  for (const SequenceKey& key : keys) {
    const auto it = in_use_.find(key);
    APOLLO_CHECK(it != in_use_.end());
    if (--it->second > 0) continue;
    in_use_.erase(it);
    const auto closed = close_after_use_.extract(key);
    if (!closed.empty()) CloseLater(key, closed.mapped());
  }
}

void SequenceTable::Release(LinkId from, const ReleaseSequences& release) {
  for (const ReleaseSequences::Item& item : release.items) {
    const SequenceKey key = {from, item.sequence};
    if (Find(key, item.attempt) != nullptr) {
      CloseLater(key, absl::StatusCode::kOk);
    }
    const auto refused = refused_.find(key);
    if (refused != refused_.end() && refused->second.attempt == item.attempt) {
      refused_.erase(refused);
    }
  }
}

void SequenceTable::DropLink(LinkId from) {
  std::vector<SequenceKey> gone;
  for (auto it = sequences_.lower_bound({from, 0});
       it != sequences_.end() && it->first.first == from; ++it) {
    gone.push_back(it->first);
  }
  for (const SequenceKey& key : gone) {
    CloseLater(key, absl::StatusCode::kUnavailable);
  }
  std::erase_if(refused_,
                [from](const auto& e) { return e.first.first == from; });
}

}  // namespace apollo
