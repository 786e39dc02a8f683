#pragma once

#include <grpcpp/security/auth_context.h>
#include <grpcpp/server_context.h>

#include "serving/peer_identity.h"

namespace apollo {

// Returns the identity that the peer of a connection has proven with TLS;
// proven is false over plaintext and for a client without a certificate. The
// certificate has been checked by the handshake. Thread-safe.
PeerIdentity PeerIdentityOf(const grpc::AuthContext& connection);

// The same for the client of a call.
PeerIdentity PeerIdentityOf(const grpc::ServerContextBase& call);

}  // namespace apollo
