#include "dense_worker/routing_log.h"

#include <algorithm>
#include <utility>

namespace apollo {
namespace {

constexpr absl::Duration kMinute = absl::Minutes(1);

template <typename From, typename To>
void AddEach(const From& from, To& into) {
  into.resize(std::max(into.size(), from.size()));
  for (std::size_t i = 0; i < from.size(); ++i) into[i] += from[i];
}

}  // namespace

RoutingLog::RoutingLog(const ModelConfig& config, LanguageLabels labels,
                       const Clock& clock)
    : boundary_(config.boundary),
      layers_(config.num_sparse_layers()),
      experts_(config.num_experts),
      experts_per_token_(config.experts_per_token),
      labels_(std::move(labels)),
      clock_(clock),
      start_(clock.Now()) {}

std::int64_t RoutingLog::MinuteAt(absl::Duration time) const {
  return absl::Floor(time - start_, kMinute) / kMinute;
}

void RoutingLog::AddTo(Table& table, int label,
                       const RoutedTokens& tokens) const {
  Cells& cells = table[label];
  std::uint64_t choices = 0;  // In one layer: k per token.
  for (int e = 0; e < experts_; ++e) choices += tokens.use[e];
  const std::uint64_t count = choices / experts_per_token_;
  cells.tokens += count;
  if (tokens.has_family) cells.family_tokens += count;
  AddEach(tokens.use, cells.use);
  AddEach(tokens.off_family, cells.off_family);
}

void RoutingLog::Add(const RoutedTokens& tokens) {
  if (static_cast<int>(tokens.use.size()) != layers_ * experts_ ||
      static_cast<int>(tokens.off_family.size()) != layers_) {
    return;
  }
  // Rows that were refused before the first layer used no expert.
  if (std::all_of(tokens.use.begin(), tokens.use.end(),
                  [](std::uint32_t n) { return n == 0; })) {
    return;
  }
  const int label = labels_.Index(tokens.language);
  const std::int64_t minute = MinuteAt(clock_.Now());
  MutexLock lock(mutex_);
  AddTo(total_, label, tokens);
  if (minutes_.empty() || minutes_.back().number < minute) {
    minutes_.push_back({minute, {}});
  }
  AddTo(minutes_.back().table, label, tokens);
  const std::int64_t oldest = minute - kMaxRoutingWindow / kMinute;
  while (minutes_.front().number < oldest) minutes_.pop_front();
}

void RoutingLog::Sum(const Table& from, Table& into) {
  for (const auto& [label, cells] : from) {
    Cells& sum = into[label];
    sum.tokens += cells.tokens;
    sum.family_tokens += cells.family_tokens;
    AddEach(cells.use, sum.use);
    AddEach(cells.off_family, sum.off_family);
  }
}

RoutingCounts RoutingLog::Counts(absl::Duration window) const {
  const absl::Duration now = clock_.Now();
  RoutingCounts counts;
  counts.covered = now - start_;
  Table sum;
  {
    MutexLock lock(mutex_);
    if (window == absl::ZeroDuration()) {
      sum = total_;
    } else {
      const std::int64_t first = std::max<std::int64_t>(
          0, MinuteAt(now - std::min(window, kMaxRoutingWindow)));
      counts.covered = now - (start_ + first * kMinute);
      for (const Minute& minute : minutes_) {
        if (minute.number >= first) Sum(minute.table, sum);
      }
    }
  }
  for (const auto& [label, cells] : sum) {
    LanguageUse& language = counts.languages.emplace_back();
    language.language = labels_.name(label);
    language.tokens = cells.tokens;
    language.family_tokens = cells.family_tokens;
    for (int layer = 0; layer < layers_; ++layer) {
      const auto first = cells.use.begin() + layer * experts_;
      language.layers.push_back({boundary_ + layer,
                                 {first, first + experts_},
                                 cells.off_family[layer]});
    }
  }
  return counts;
}

}  // namespace apollo
