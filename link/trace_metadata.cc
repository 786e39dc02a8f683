#include "link/trace_metadata.h"

#include <iterator>
#include <string>

namespace apollo {

void AddTrace(const TraceContext& trace, grpc::ClientContext& call) {
  call.AddMetadata(kTraceparent, FormatTraceparent(trace));
  if (!trace.state.empty()) call.AddMetadata(kTracestate, trace.state);
}

std::optional<TraceContext> TraceOf(const grpc::ServerContextBase& call) {
  const auto& metadata = call.client_metadata();
  const auto parents = metadata.equal_range(kTraceparent);
  if (parents.first == parents.second ||
      std::next(parents.first) != parents.second) {
    return std::nullopt;
  }
  // Several lines are one list.
  std::string state;
  const auto states = metadata.equal_range(kTracestate);
  for (auto it = states.first; it != states.second; ++it) {
    if (!state.empty()) state += ',';
    state.append(it->second.data(), it->second.size());
  }
  const grpc::string_ref parent = parents.first->second;
  return ParseTraceparent({parent.data(), parent.size()}, state);
}

}  // namespace apollo
