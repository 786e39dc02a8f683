#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "common/rows.h"
#include "link/worker_info.h"
#include "sequence/generation.h"

namespace apollo {

// What travels on a link, as plain data. docs/link.md has the rules of each
// message; proto/apollo/internal/v1/link.proto is their form on the wire.

// What a frame's payload holds at most, in bytes: 1 GiB.
inline constexpr std::uint64_t kMaxPayloadBytes = std::uint64_t{1} << 30;

// What an expert worker must know of a sequence; comes with its first rows.
struct SequenceStart {
  int family = -1;
  bool hybrid = false;
  SamplingOptions sampling;
  int prompt_tokens = 0;
  int top_logprobs = 0;
  std::string language = {};  // For counting only; empty: not known.
  bool operator==(const SequenceStart&) const = default;
};

// Consecutive rows of one sequence.
struct SequenceRows {
  std::uint64_t sequence = 0;
  std::uint32_t attempt = 0;
  int first_position = 0;
  std::vector<std::int32_t> tokens;    // [rows], at least one.
  std::optional<SequenceStart> start;  // Exactly when first_position is 0.
  bool sample = false;                 // Choose the token after the last row.
  // For the last score_targets.size() rows: the token that follows, whose
  // log-probability is wanted.
  std::vector<std::int32_t> score_targets;
  bool operator==(const SequenceRows&) const = default;
};

// Only between LinkSession and a peer of version 0 of the wire, in place of a
// later WorkerInfo: see link/previous_wire.h.
struct Reach {
  std::set<int> experts;
  bool operator==(const Reach&) const = default;
};

// From an expert worker's engine, between two pieces of its work: however long
// the answers that it owes take, it does not stand still.
struct Progress {
  bool operator==(const Progress&) const = default;
};

// Dense to expert worker. Payload: boundary activations [sum of rows, hidden].
struct StageStep {
  std::uint64_t step = 0;
  std::vector<SequenceRows> sequences;
  bool operator==(const StageStep&) const = default;
};

struct SequenceOutput {
  std::uint64_t sequence = 0;
  std::uint32_t attempt = 0;
  int position = 0;  // Of the last row computed.
  std::optional<TokenLogprob> sampled;
  std::vector<TokenLogprob> alternatives;
  std::vector<float> score_logprobs;
  std::vector<std::uint32_t> expert_use;  // [sparse layers, experts]
  // Not OK: the attempt has failed. ABORTED: it had to make room in the cache,
  // and the sequence can begin again as a new attempt.
  absl::Status status;
  // [sparse layers]: see LayerUse::off_family_tokens.
  std::vector<std::uint32_t> off_family;
  bool operator==(const SequenceOutput&) const = default;
};

// Expert to dense worker: one for each StageStep, in the same order.
struct StageResult {
  std::uint64_t step = 0;
  std::vector<SequenceOutput> outputs;
  bool operator==(const StageResult&) const = default;
};

// Dense to expert worker: these sequences are over.
struct ReleaseSequences {
  struct Item {
    std::uint64_t sequence = 0;
    std::uint32_t attempt = 0;
    bool operator==(const Item&) const = default;
  };
  std::vector<Item> items;
  bool operator==(const ReleaseSequences&) const = default;
};

// Expert to expert worker: rows for an expert that is resident there.
// Payload: [rows, hidden].
struct ExpertRows {
  std::uint64_t ticket =
      0;  // Chosen by the sender; comes back with the outputs.
  int layer = 0;
  int expert = 0;
  bool operator==(const ExpertRows&) const = default;
};

// The answer. Payload: [rows, hidden] in the same order; empty with an error.
struct ExpertOutputs {
  std::uint64_t ticket = 0;
  absl::Status status;
  bool operator==(const ExpertOutputs&) const = default;
};

struct Frame {
  std::variant<WorkerInfo, Reach, Progress, StageStep, StageResult,
               ReleaseSequences, ExpertRows, ExpertOutputs>
      body;
  // A link between processes delivers the numbers as one row; who takes the
  // frame knows their width.
  Rows payload = {};
  // Of a frame that came on a link: until it is gone, the frame counts as not
  // handled, and too many of those hold up the peer.
  std::shared_ptr<void> receipt = {};
};

// Returns about as many bytes as the frame takes up in memory.
std::size_t FrameBytes(const Frame& frame);

}  // namespace apollo
