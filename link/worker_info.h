#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <set>
#include <string>
#include <utility>

namespace apollo {

// The versions of the wire between workers that this program speaks.
// docs/link.md has what each of them changed.
inline constexpr int kWireVersion = 1;
inline constexpr int kOldestWireVersion = kWireVersion - 1;

enum class WorkerRole { kDense, kExpert };

// Experts by sparse layer.
struct LayerExperts {
  LayerExperts() = default;
  // The same ones in every sparse layer.
  LayerExperts(std::set<int> experts)  // NOLINT: a set is meant to convert.
      : everywhere(std::move(experts)) {}
  LayerExperts(std::initializer_list<int> experts) : everywhere(experts) {}

  bool Has(int layer, int expert) const {
    if (everywhere.contains(expert)) return true;
    const auto it = in_layer.find(layer);
    return it != in_layer.end() && it->second.contains(expert);
  }
  bool operator==(const LayerExperts&) const = default;

  std::set<int> everywhere;               // In every sparse layer.
  std::map<int, std::set<int>> in_layer;  // Besides, by layer.
};

// Everything that a worker says of itself to others. It is the first message on
// a link, said by the process, and comes again from the worker's engine
// whenever it changes, with a higher revision.
struct WorkerInfo {
  // Who it is. These never change.
  WorkerRole role = WorkerRole::kDense;
  std::string name = {};        // Unique in the cluster.
  std::string model_hash = {};  // Both sides must serve the same model.
  std::string version = {};     // Of the program.
  // Experts whose weights are in memory (expert workers).
  LayerExperts resident = {};
  // Tokens that its cache holds at most (expert workers); 0: not said.
  std::int64_t cache_tokens = 0;
  // Drawn by each process at its start: tells two of one name apart.
  std::uint64_t instance = 0;
  // The versions of the wire that it speaks, from the oldest on.
  int wire_version = kWireVersion;
  int oldest_wire_version = kOldestWireVersion;
  // What decides on the bits of its results: engine/numerics.h. Empty: not
  // said.
  std::string numerics = {};
  // Hashes of what routers have of the model, too: model/config/fingerprint.h.
  std::string config_hash = {};
  std::string tokenizer_hash = {};

  // How it is.
  // Experts that it has itself, or through peers that are not about to stop.
  LayerExperts reaches = {};
  int running_sequences = 0;
  int queued_rows = 0;  // That wait to be computed.
  // About to stop: wants nothing new, but goes on with what it has, and
  // computes rows for peers until their sequences are over.
  bool draining = false;
  bool ready = false;  // Its engine runs: it has said this itself.
  std::uint64_t revision = 0;

  bool operator==(const WorkerInfo&) const = default;
};

// Returns true if two workers are known to give the same bits. Who does not say
// is like nobody who does: version 0 of the wire never said, so that its
// numerics might be any. Two who both do not say are of that version, in which
// all workers of a cluster counted as equal.
inline bool SameNumerics(const std::string& a, const std::string& b) {
  return a == b;
}

}  // namespace apollo
