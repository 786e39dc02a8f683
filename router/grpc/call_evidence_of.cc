#include "router/grpc/call_evidence_of.h"

#include <cstdint>
#include <string>

namespace apollo {
namespace {

constexpr std::int64_t kBytesOfEntry = 32;

}  // namespace

CallEvidence EvidenceOf(const grpc::ServerContextBase& context,
                        const PeerOf& peer_of, std::size_t message_bytes) {
  CallEvidence evidence;
  if (peer_of) evidence.peer = peer_of(context);
  evidence.message_bytes = static_cast<std::int64_t>(message_bytes);
  for (const auto& [key, value] : context.client_metadata()) {
    evidence.metadata_bytes +=
        static_cast<std::int64_t>(key.size() + value.size()) + kBytesOfEntry;
    const std::string text(value.data(), value.size());
    if (key == "authorization") evidence.authorization.push_back(text);
    if (key == "x-apollo-caller-san") evidence.caller_san.push_back(text);
    if (key == "x-forwarded-client-cert") {
      evidence.forwarded_client.push_back(text);
    }
  }
  return evidence;
}

}  // namespace apollo
