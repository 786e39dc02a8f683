#include "expert_worker/step_queue.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>
#include <set>
#include <utility>

#include "common/status_macros.h"
#include "kernels/attention.h"

namespace apollo {
namespace {

absl::Status CheckTokens(const SequenceRows& rows, const ModelConfig& config) {
  const auto bad = [&config](std::int32_t token) {
    return token < 0 || token >= config.vocab_size;
  };
  if (std::any_of(rows.tokens.begin(), rows.tokens.end(), bad) ||
      std::any_of(rows.score_targets.begin(), rows.score_targets.end(), bad)) {
    return absl::InvalidArgumentError(
        "a step with a token outside the vocabulary");
  }
  return absl::OkStatus();
}

// A sequence begins at position 0, or behind whole blocks with a hash each.
absl::Status CheckHashes(const SequenceRows& rows) {
  const int end = rows.first_position + static_cast<int>(rows.tokens.size());
  const int before = rows.first_position / kBlockTokens;
  const int whole = end / kBlockTokens - (rows.start ? 0 : before);
  const bool behind = rows.start && rows.first_position > 0;
  const auto hashes = static_cast<int>(rows.block_hashes.size());
  if ((hashes != whole && (hashes != 0 || behind)) ||
      (behind && rows.first_position % kBlockTokens != 0)) {
    return absl::InvalidArgumentError(
        absl::StrCat("rows from position ", rows.first_position, " with ",
                     hashes, " hashes of blocks instead of ", whole));
  }
  return absl::OkStatus();
}

absl::Status CheckRows(const SequenceRows& rows, const ModelConfig& config) {
  if (rows.tokens.empty() || rows.unscored_rows < 0 ||
      rows.score_targets.size() + rows.unscored_rows > rows.tokens.size() ||
      rows.first_position < 0 ||
      rows.first_position >
          config.max_context - static_cast<int>(rows.tokens.size()) ||
      (rows.first_position == 0 && !rows.start)) {
    return absl::InvalidArgumentError("a step with invalid rows");
  }
  RETURN_IF_ERROR(CheckHashes(rows));
  if (rows.start &&
      (rows.start->family < -1 || rows.start->family >= config.num_experts ||
       (rows.start->hybrid && rows.start->family < 0))) {
    return absl::InvalidArgumentError("a sequence with an unknown family");
  }
  if (rows.start && (rows.start->score_alternatives < 0 ||
                     rows.start->score_alternatives > kMaxTopLogprobs ||
                     rows.start->top_logprobs < 0 ||
                     rows.start->top_logprobs > kMaxTopLogprobs)) {
    return absl::InvalidArgumentError(
        "a sequence with too many alternatives of its tokens");
  }
  if (rows.start &&
      !BiasFits(rows.start->sampling.logit_bias, config.vocab_size)) {
    return absl::InvalidArgumentError(
        "a sequence with a bias of a token outside the vocabulary");
  }
  return CheckTokens(rows, config);
}

// The sequences of which earlier rows must wait.
using Behind = std::set<std::pair<LinkId, std::uint64_t>>;

// Returns true if the rows must wait: by themselves, or because earlier ones
// of their sequence must.
bool MustStay(LinkId from, const SequenceRows& rows, StepQueue::Blocked blocked,
              Behind& behind) {
  if (behind.contains({from, rows.sequence})) return true;
  if (!blocked(from, rows)) return false;
  behind.emplace(from, rows.sequence);
  return true;
}

}  // namespace

int WaitingStep::rows() const {
  int sum = 0;
  for (const SequenceRows& sequence : step.sequences) {
    sum += static_cast<int>(sequence.tokens.size());
  }
  return sum;
}

absl::Status StepQueue::Add(LinkId from, Frame frame, const ModelConfig& config,
                            bool in_parts) {
  StageStep& step = std::get<StageStep>(frame.body);
  std::size_t rows = 0;
  std::set<std::uint64_t> seen;
  for (const SequenceRows& sequence : step.sequences) {
    if (!seen.insert(sequence.sequence).second) {
      return absl::InvalidArgumentError("a step with a repeated sequence");
    }
    RETURN_IF_ERROR(CheckRows(sequence, config));
    rows += sequence.tokens.size();
  }
  const Rows& payload = frame.payload;
  if (payload.numbers() != rows * config.hidden_size) {
    return absl::InvalidArgumentError(
        absl::StrCat("a step of ", rows, " rows with ", payload.numbers(),
                     " numbers instead of ", rows * config.hidden_size));
  }
  const Rows all = payload.Reshaped(config.hidden_size);
  std::vector<Rows> boundary;
  int first = 0;
  for (const SequenceRows& sequence : step.sequences) {
    const int count = static_cast<int>(sequence.tokens.size());
    boundary.push_back(all.Slice(first, count));
    first += count;
  }
  const std::size_t sequences = step.sequences.size();
  auto answer = std::make_shared<StepAnswer>(step.step, sequences, in_parts);
  steps_.push_back({from, std::move(step), std::move(boundary),
                    std::vector<char>(sequences), std::move(frame.receipt),
                    std::move(answer)});
  return absl::OkStatus();
}

void StepQueue::Cancel(LinkId from, const ReleaseSequences& release) {
  for (WaitingStep& waiting : steps_) {
    if (waiting.from != from) continue;
    for (std::size_t s = 0; s < waiting.step.sequences.size(); ++s) {
      const SequenceRows& rows = waiting.step.sequences[s];
      for (const ReleaseSequences::Item& item : release.items) {
        if (rows.sequence == item.sequence && rows.attempt == item.attempt) {
          waiting.cancelled[s] = 1;
        }
      }
    }
  }
}

int StepQueue::rows() const {
  int rows = 0;
  for (const WaitingStep& waiting : steps_) rows += waiting.rows();
  return rows;
}

bool StepQueue::HasFree(Blocked blocked) const {
  Behind behind;
  for (const WaitingStep& waiting : steps_) {
    if (waiting.step.sequences.empty()) return true;
    for (const SequenceRows& rows : waiting.step.sequences) {
      if (!MustStay(waiting.from, rows, blocked, behind)) return true;
    }
  }
  return false;
}

WaitingStep StepQueue::TakeBlocked(WaitingStep& step, Blocked blocked) {
  WaitingStep held = {step.from, {step.step.step, {}}, {},
                      {},        step.receipt,         step.answer};
  WaitingStep free = {step.from, {step.step.step, {}}, {},
                      {},        step.receipt,         step.answer};
  for (std::size_t s = 0; s < step.step.sequences.size(); ++s) {
    SequenceRows& rows = step.step.sequences[s];
    WaitingStep& to = blocked(step.from, rows) ? held : free;
    to.step.sequences.push_back(std::move(rows));
    to.boundary.push_back(std::move(step.boundary[s]));
    to.cancelled.push_back(step.cancelled[s]);
  }
  step = std::move(free);
  return held;
}

void StepQueue::DropLink(LinkId from) {
  std::erase_if(steps_,
                [from](const WaitingStep& w) { return w.from == from; });
}

std::vector<WaitingStep> StepQueue::TakeBatch(Blocked blocked) {
  std::vector<WaitingStep> batch;
  std::vector<WaitingStep> held;
  std::map<std::pair<LinkId, std::uint64_t>, std::uint32_t> attempts;
  const auto mixes_attempts = [&attempts](const WaitingStep& waiting) {
    for (const SequenceRows& s : waiting.step.sequences) {
      const auto it = attempts.find({waiting.from, s.sequence});
      if (it != attempts.end() && it->second != s.attempt) return true;
    }
    return false;
  };
  Behind behind;
  const auto stays = [&](LinkId from, const SequenceRows& s) {
    return MustStay(from, s, blocked, behind);
  };
  int rows = 0;
  while (!steps_.empty() && (batch.empty() || rows < kMaxBatchRows) &&
         !mixes_attempts(steps_.front())) {
    WaitingStep step = std::move(steps_.front());
    steps_.pop_front();
    const bool none = step.step.sequences.empty();
    WaitingStep rest = TakeBlocked(step, stays);
    if (!rest.step.sequences.empty()) held.push_back(std::move(rest));
    if (step.step.sequences.empty() && !none) continue;
    for (const SequenceRows& s : step.step.sequences) {
      attempts[{step.from, s.sequence}] = s.attempt;
    }
    rows += step.rows();
    batch.push_back(std::move(step));
  }
  steps_.insert(steps_.begin(), std::make_move_iterator(held.begin()),
                std::make_move_iterator(held.end()));
  return batch;
}

}  // namespace apollo
