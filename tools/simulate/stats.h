#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tools/simulate/quantiles.h"
#include "tools/simulate/time.h"

namespace apollo::simulate {

// A request on its way.
struct Request {
  std::uint64_t id = 0;
  int language = 0;  // Index in the scenario.
  int family = -1;
  int prompt = 0;
  int answer = 0;
  Time arrived = 0;  // At the router.
};

// The work that was done, over the whole run, and the times that clients saw
// after the warm-up.
struct Stats {
  struct Language {
    std::uint64_t requests = 0, tokens = 0;
    Quantiles first_token;
  };

  std::uint64_t arrived = 0, finished = 0, refused = 0, failed = 0;
  std::uint64_t tokens = 0;           // That reached clients.
  std::uint64_t finished_tokens = 0;  // Of these, of finished requests.
  std::uint64_t dense_rows = 0;       // Computed by dense workers.
  std::uint64_t preempted_rows = 0;   // Of these, computed again.
  std::uint64_t expert_rows = 0;      // Through the sparse layers.
  std::uint64_t replayed_rows = 0;    // Sent again after a loss.
  std::uint64_t choices = 0;          // Of experts by rows: rows, layers, k.
  std::uint64_t guest_choices = 0;    // Of these, at another worker.
  std::uint64_t placed = 0, placed_resident = 0;  // Sequences.
  std::uint64_t moved = 0;                        // Sequences, after a loss.
  std::uint64_t loads = 0;                        // Of experts, while running.
  std::uint64_t moves = 0;                        // Of placement `auto`.
  std::uint64_t batches = 0, batch_rows = 0;
  std::uint64_t dense_steps = 0;

  std::uint64_t counted_tokens = 0;  // After the warm-up.
  Quantiles first_token, between_tokens, whole_request;
  std::vector<Language> languages;
  std::vector<std::uint64_t> tokens_by_second;
  std::vector<Quantiles> between_by_second;  // From the beginning.
  // By second, then expert: workers that hold it in all layers.
  std::vector<std::vector<int>> holders_by_second;
};

}  // namespace apollo::simulate
