#pragma once

#include <cstdint>
#include <string>

#include "common/layer_experts.h"  // IWYU pragma: export
#include "sequence/generation.h"
#include "sequence/placement_report.h"  // IWYU pragma: export

namespace apollo {

// The versions of the wire between workers that this program supports.
// docs/link.md lists their changes.
inline constexpr int kWireVersion = 1;
inline constexpr int kOldestWireVersion = kWireVersion - 1;

enum class WorkerRole { kDense, kExpert };

// The ways in which rows in the memory of a worker's device can travel to that
// of a peer.
struct DeviceTransport {
  int nccl_version = 0;     // As NCCL codes it; 0: none.
  std::string host = {};    // See link/nccl/host_id.h.
  std::string device = {};  // Identifies the device on its host.
  bool across_hosts = false;
  bool operator==(const DeviceTransport&) const = default;
};

// A worker's description of itself. The process sends it as the first message
// on a link. The worker's engine sends it again, with a higher revision,
// whenever it changes.
struct WorkerInfo {
  // Identity: these never change.
  WorkerRole role = WorkerRole::kDense;
  std::string name = {};        // Unique in the cluster.
  std::string model_hash = {};  // Both sides must serve the same model.
  std::string version = {};     // Program version.
  // Experts whose weights are in memory (expert workers).
  LayerExperts resident = {};
  // Capacity of its cache in tokens (expert workers); 0: unknown.
  std::int64_t cache_tokens = 0;
  // A random number of the process, which distinguishes two of one name.
  std::uint64_t instance = 0;
  // The range of wire versions that it supports.
  int wire_version = kWireVersion;
  int oldest_wire_version = kOldestWireVersion;
  // Identifies everything besides the model that affects the bits of its
  // results (engine/numerics.h). Empty: unknown.
  std::string numerics = {};
  // Hashes of the files that routers also have: model/config/fingerprint.h.
  std::string config_hash = {};
  std::string tokenizer_hash = {};
  // Set by the link itself.
  DeviceTransport device_transport = {};
  int sequence_options = kSequenceOptions;
  // An answer to one of its steps may come in parts (dense workers).
  bool takes_parts = true;
  // Later descriptions to it may leave out a placement that has not changed.
  // Set by the link itself, which fills it in.
  bool keeps_placement = false;
  // A sequence may begin behind a prefix that it has (expert workers).
  bool keeps_prefixes = false;

  // State: these change.
  //
  // Experts that it has itself, or through peers that are not draining.
  LayerExperts reaches = {};
  int running_sequences = 0;
  int queued_rows = 0;  // Waiting to be computed.
  // About to stop: accepts no new sequences, but continues its own, and
  // computes rows for peers until their sequences have ended.
  bool draining = false;
  // What it holds and why, for operators (expert workers).
  PlacementReport placement = {};
  // `placement` is left out, because it is that of the last description on the
  // link. Only on the way: LinkSession fills it in.
  bool same_placement = false;
  // For operators, too (expert workers): the used part of `cache_tokens`, rows
  // computed since the start, and when the certificate expires, in seconds
  // since 1970. 0: unknown.
  std::int64_t cache_tokens_used = 0;
  std::int64_t rows_computed = 0;
  std::int64_t certificate_expires = 0;
  // With `draining`: its sequences should move to other workers now.
  bool hand_over = false;
  bool ready = false;  // Set by its engine: it runs.
  std::uint64_t revision = 0;

  bool operator==(const WorkerInfo&) const = default;
};

// Returns true if workers with these numerics ids give the same bits. An empty
// id equals only an empty id: workers of wire version 0 send none, so their
// numerics are unknown, but in that version all workers of a cluster counted as
// equal.
inline bool SameNumerics(const std::string& a, const std::string& b) {
  return a == b;
}

}  // namespace apollo
