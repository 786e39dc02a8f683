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
#include "link/device_frames.h"
#include "link/worker_info.h"
#include "sequence/block_hash.h"
#include "sequence/generation.h"
#include "tracing/trace_context.h"

namespace apollo {

// Frames of a link as plain data. docs/link.md has the rules of each frame, and
// proto/apollo/internal/v1/link.proto the wire format.

// The maximum size of a frame's payload, in bytes: 1 GiB.
inline constexpr std::uint64_t kMaxPayloadBytes = std::uint64_t{1} << 30;

// The facts of a sequence that an expert worker needs. Sent with its first
// rows.
struct SequenceStart {
  int family = -1;
  bool hybrid = false;
  SamplingOptions sampling;
  int prompt_tokens = 0;
  int top_logprobs = 0;
  std::string language = {};    // For counting only; empty: unknown.
  std::string request_id = {};  // For logs only.
  int score_alternatives = 0;   // Reported with each score target.
  // The span of the dense worker; unset: the sequence is not traced. Travels
  // without its state.
  std::optional<TraceContext> trace = {};
  bool operator==(const SequenceStart&) const = default;
};

// Consecutive rows of one sequence.
struct SequenceRows {
  std::uint64_t sequence = 0;
  std::uint32_t attempt = 0;
  int first_position = 0;
  std::vector<std::int32_t> tokens;  // [rows], at least one.
  // With the first rows of an attempt. Their first_position is 0 or, with
  // block_hashes, a multiple of kBlockTokens: the worker must have what it
  // computed for the tokens before.
  std::optional<SequenceStart> start;
  bool sample = false;  // Choose the token after the last row.
  // For each of the last score_targets.size() rows, but for `unscored_rows`
  // after them: the following token, whose log-probability is wanted.
  std::vector<std::int32_t> score_targets;
  int unscored_rows = 0;
  // Only to workers with WorkerInfo::keeps_prefixes: the hashes of the blocks
  // that end in these rows and, with `start`, of all blocks before. Empty
  // without `start`: none ends here, or nothing of the sequence is kept.
  std::vector<BlockHash> block_hashes = {};
  bool operator==(const SequenceRows&) const = default;
};

// Used only between LinkSession and a peer of wire version 0, instead of a
// later WorkerInfo: see link/previous_wire.h.
struct Reach {
  std::set<int> experts;
  bool operator==(const Reach&) const = default;
};

// From an expert worker: its engine makes progress, however long the answers
// that it owes take, or at least its process runs.
struct Progress {
  // Such reports come many times a second, whatever the engine does. False from
  // older workers, which report only while their engine has work and moves.
  bool regular = false;
  // The engine has not moved since the last report.
  bool still = false;
  // The messages of this link that have come to the sender. Set by links that
  // can lose data; nullopt from older workers, and while the sender does not
  // read because too much is unhandled.
  std::optional<std::uint64_t> received = {};
  bool operator==(const Progress&) const = default;
};

// From a dense to an expert worker: rows to compute. Payload: boundary
// activations [sum of rows, hidden].
struct StageStep {
  std::uint64_t step = 0;
  std::vector<SequenceRows> sequences;
  bool operator==(const StageStep&) const = default;
};

struct SequenceOutput {
  std::uint64_t sequence = 0;
  std::uint32_t attempt = 0;
  int position = 0;  // The last computed one.
  std::optional<TokenLogprob> sampled;
  std::vector<TokenLogprob> alternatives;
  std::vector<float> score_logprobs;
  std::vector<std::uint32_t> expert_use;  // [sparse layers, experts]
  // Not OK: the attempt has failed. ABORTED: it was evicted from the cache, and
  // the sequence can begin a new attempt. NOT_FOUND: it began behind
  // `held_tokens`, and can begin again with a lower position.
  absl::Status status;
  // [sparse layers]: see LayerUse::off_family_tokens.
  std::vector<std::uint32_t> off_family;
  // [score targets, alternatives], the best first: with score_alternatives.
  std::vector<TokenLogprob> score_alternatives = {};
  int held_tokens = 0;  // With NOT_FOUND: those of its beginning that are here.
  // With the first rows of an attempt behind position 0: as expert_use and
  // off_family, over the rows before, which were computed for other sequences.
  std::vector<std::uint32_t> held_expert_use = {};
  std::vector<std::uint32_t> held_off_family = {};
  bool operator==(const SequenceOutput&) const = default;
};

// From an expert to a dense worker: the answer to a StageStep. To a worker with
// WorkerInfo::takes_parts it may come in parts, among those of other steps.
struct StageResult {
  std::uint64_t step = 0;
  std::vector<SequenceOutput> outputs;
  bool more = false;  // Another part follows.
  bool operator==(const StageResult&) const = default;
};

// From a dense to an expert worker: these sequences have ended.
struct ReleaseSequences {
  struct Item {
    std::uint64_t sequence = 0;
    std::uint32_t attempt = 0;
    bool operator==(const Item&) const = default;
  };
  std::vector<Item> items;
  bool operator==(const ReleaseSequences&) const = default;
};

// Between expert workers: rows for an expert that is resident at the receiver.
// Payload: [rows, hidden].
struct ExpertRows {
  std::uint64_t ticket = 0;  // Chosen by the sender; returned with the outputs.
  int layer = 0;
  int expert = 0;
  bool operator==(const ExpertRows&) const = default;
};

// The answer to ExpertRows. Payload: [rows, hidden] in the same order; empty
// with an error.
struct ExpertOutputs {
  std::uint64_t ticket = 0;
  absl::Status status;
  bool operator==(const ExpertOutputs&) const = default;
};

struct Frame {
  std::variant<WorkerInfo, Reach, Progress, StageStep, StageResult,
               ReleaseSequences, ExpertRows, ExpertOutputs, DeviceOpen,
               DeviceCredit, DevicePayload, DeviceFailed, DeviceEnded,
               DeviceResend>
      body;
  // A link between processes delivers inline numbers as one row; the receiver
  // knows their width.
  Rows payload = {};
  // Set for a received frame. Until it is destroyed, the frame counts as
  // unhandled; too many unhandled frames block the peer.
  std::shared_ptr<void> receipt = {};
  // Set for a received frame by links that can lose data: the messages that
  // this end had sent. Compare with Progress::received.
  std::uint64_t sent = 0;
};

// Returns the approximate size of the frame in memory, in bytes.
std::size_t FrameBytes(const Frame& frame);

}  // namespace apollo
