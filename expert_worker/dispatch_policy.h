#pragma once

#include <absl/time/time.h>

#include <cstdint>
#include <optional>

namespace apollo {

// Where rows are computed that chose an expert which is not in memory here.
enum class RowsPlace {
  kPeer,     // By the least loaded worker that holds the expert.
  kHere,     // By this worker, once the expert's weights are in memory.
  kNowhere,  // No worker that answers can compute them.
};

// What the choice depends on.
struct RowsToPlace {
  std::int64_t rows = 0;
  std::int64_t bytes_per_row = 0;  // In one direction.
  // The rows that the best holder computes before these (its load). Nullopt: no
  // holder answers.
  std::optional<std::int64_t> rows_before = std::nullopt;
  // Bytes of weights that must come into memory before the expert runs here, of
  // other experts that rows wait for, too. Nullopt: it cannot run here.
  std::optional<std::int64_t> bytes_to_load = std::nullopt;
  // The usual time until that holder answers, if it is slow compared with other
  // peers (link/answer_times.h).
  absl::Duration slow_answer = absl::ZeroDuration();
};

// The costs that are compared. They need not be exact: the two sides differ by
// orders of magnitude in most cases, and either place gives the same bits. They
// are orders of magnitude of a cluster in one data centre.
struct DispatchCosts {
  absl::Duration hop = absl::Microseconds(500);  // There and back.
  double link_bytes_per_second = 1e9;
  // Time of a row that the holder computes before these.
  absl::Duration row_before = absl::Microseconds(20);
  // From the page cache or a local disk.
  double load_bytes_per_second = 1e9;
};

// Chooses the place with the lower cost:
//   peer: max(hop, slow_answer) + 2 rows bytes_per_row / link rate
//         + rows_before row_before
//   here: bytes_to_load / load rate
// The time of the computation itself is the same in both places. On a tie the
// peer computes, because a load may evict another expert.
RowsPlace PlaceRows(const RowsToPlace& rows, const DispatchCosts& costs = {});

}  // namespace apollo
