#include "router/grpc/status_size.h"

#include <algorithm>
#include <map>

namespace apollo {
namespace {

// The tag and the length of a process, and the field that counts what is left
// out, have at most so many bytes each.
constexpr std::size_t kFieldBytes = 12;

void SumByLayer(v1::PlacementReport& placement) {
  std::map<std::uint32_t, v1::LayerPlacement> layers;
  for (const v1::PlacedExpert& placed : placement.experts()) {
    v1::LayerPlacement& layer = layers[placed.layer()];
    layer.set_layer(placed.layer());
    if (placed.hold() == v1::EXPERT_HOLD_STANDBY) {
      layer.set_standby(layer.standby() + 1);
    } else if (placed.hold() != v1::EXPERT_HOLD_ABSENT) {
      layer.set_kept(layer.kept() + 1);
    }
    layer.set_own_rows(layer.own_rows() + placed.own_rows());
    layer.set_absent_rows(layer.absent_rows() + placed.absent_rows());
    layer.set_guest_rows(layer.guest_rows() + placed.guest_rows());
  }
  placement.clear_experts();
  for (const auto& [number, layer] : layers) *placement.add_layers() = layer;
}

void CountExperts(v1::ProcessStatus& process) {
  for (v1::LayerExpertList& list : *process.mutable_layer_experts()) {
    list.set_count(static_cast<std::uint32_t>(list.experts_size()));
    list.clear_experts();
  }
}

void LeaveOutLast(std::size_t most_bytes, v1::GetStatusResponse& response) {
  std::size_t bytes = response.ByteSizeLong() + kFieldBytes;
  std::uint32_t left_out = 0;
  // The first is the router.
  while (bytes > most_bytes && response.processes_size() > 1) {
    const std::size_t last =
        response.processes(response.processes_size() - 1).ByteSizeLong();
    response.mutable_processes()->RemoveLast();
    bytes -= last;
    ++left_out;
  }
  response.set_processes_left_out(left_out);
}

}  // namespace

std::size_t MostBytesOf(const v1::GetStatusRequest& request) {
  if (request.max_response_bytes() == 0) return kMostStatusBytes;
  return std::max<std::size_t>(request.max_response_bytes(), kLeastStatusBytes);
}

void ShortenStatus(std::size_t most_bytes, v1::GetStatusResponse& response) {
  const auto fits = [&] { return response.ByteSizeLong() <= most_bytes; };
  if (fits()) return;
  for (v1::ProcessStatus& process : *response.mutable_processes()) {
    if (process.has_placement()) SumByLayer(*process.mutable_placement());
  }
  if (fits()) return;
  for (v1::ProcessStatus& process : *response.mutable_processes()) {
    CountExperts(process);
  }
  if (!fits()) LeaveOutLast(most_bytes, response);
}

}  // namespace apollo
