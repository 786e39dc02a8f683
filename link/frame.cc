#include "link/frame.h"

namespace apollo {
namespace {

template <typename T>
std::size_t VectorBytes(const std::vector<T>& values) {
  return values.size() * sizeof(T);
}

std::size_t Bytes(const SequenceRows& rows) {
  return sizeof(rows) + VectorBytes(rows.tokens) +
         VectorBytes(rows.score_targets) + VectorBytes(rows.block_hashes);
}

std::size_t Bytes(const SequenceOutput& output) {
  return sizeof(output) + VectorBytes(output.alternatives) +
         VectorBytes(output.score_logprobs) + VectorBytes(output.expert_use) +
         VectorBytes(output.off_family) +
         VectorBytes(output.score_alternatives) +
         VectorBytes(output.held_expert_use) +
         VectorBytes(output.held_off_family);
}

struct BodyBytes {
  std::size_t operator()(const StageStep& step) const {
    std::size_t bytes = 0;
    for (const SequenceRows& rows : step.sequences) bytes += Bytes(rows);
    return bytes;
  }
  std::size_t operator()(const StageResult& result) const {
    std::size_t bytes = 0;
    for (const SequenceOutput& output : result.outputs) bytes += Bytes(output);
    return bytes;
  }
  std::size_t operator()(const ReleaseSequences& release) const {
    return VectorBytes(release.items);
  }
  // The others are small and of bounded size.
  template <typename T>
  std::size_t operator()(const T&) const {
    return 0;
  }
};

}  // namespace

std::size_t FrameBytes(const Frame& frame) {
  return sizeof(frame) + std::visit(BodyBytes(), frame.body) +
         frame.payload.bytes();
}

}  // namespace apollo
