#pragma once

#include <absl/time/time.h>

#include <cstdint>
#include <deque>
#include <map>
#include <span>
#include <string_view>
#include <vector>

#include "common/clock.h"
#include "common/mutex.h"
#include "model/config/model_config.h"
#include "model/language/language_labels.h"
#include "sequence/routing.h"

namespace apollo {

// Routing of some rows of one sequence through all sparse layers.
struct RoutedTokens {
  std::string_view language;  // As in the request: any text, or empty.
  bool has_family = false;
  std::span<const std::uint32_t> use;         // [sparse layers, experts]
  std::span<const std::uint32_t> off_family;  // [sparse layers]
};

// Counts tokens by language, sparse layer and expert, in total and by the
// minute for the longest window. Memory is bounded: at most 62 tables (61
// minutes and the total) with at most one entry for each label, each of sparse
// layers x (experts + 1) numbers. Thread-safe.
class RoutingLog {
 public:
  // `clock` must outlive the log.
  RoutingLog(const ModelConfig& config, LanguageLabels labels,
             const Clock& clock);

  // Counts tokens. Ignores those whose use does not have the model's shape.
  void Add(const RoutedTokens& tokens);

  // Returns the counts of all minutes that overlap the window, which ends now.
  // The counts may cover up to a minute more than the window; `covered` is the
  // exact duration. A window of zero means since the log was created. Windows
  // are cut to kMaxRoutingWindow.
  RoutingCounts Counts(absl::Duration window) const;

 private:
  struct Cells {
    std::uint64_t tokens = 0, family_tokens = 0;
    std::vector<std::uint64_t> use;         // [sparse layers, experts]
    std::vector<std::uint64_t> off_family;  // [sparse layers]
  };
  using Table = std::map<int, Cells>;  // By label.
  struct Minute {
    std::int64_t number = 0;  // Since start_.
    Table table;
  };

  std::int64_t MinuteAt(absl::Duration time) const;
  void AddTo(Table& table, int label, const RoutedTokens& tokens) const;
  static void Sum(const Table& from, Table& into);

  const int boundary_;
  const int layers_;
  const int experts_;
  const int experts_per_token_;
  const LanguageLabels labels_;
  const Clock& clock_;
  const absl::Duration start_;

  mutable Mutex mutex_;
  Table total_ ABSL_GUARDED_BY(mutex_);
  // In order; only minutes with tokens, none older than the longest window.
  std::deque<Minute> minutes_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace apollo
