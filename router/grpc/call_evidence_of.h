#pragma once

#include <grpcpp/grpcpp.h>

#include <cstddef>
#include <functional>

#include "router/access/call_evidence.h"
#include "serving/peer_identity.h"

namespace apollo {

// Returns the identity that the other end of a call's connection has proven.
// Thread-safe.
using PeerOf = std::function<PeerIdentity(const grpc::ServerContextBase&)>;

// Returns what a call brings along. Metadata count as in HTTP/2: name, value,
// and 32 bytes for each (RFC 9113, section 6.5.2). Without `peer_of`, nobody
// has proven anything.
CallEvidence EvidenceOf(const grpc::ServerContextBase& context,
                        const PeerOf& peer_of, std::size_t message_bytes);

}  // namespace apollo
