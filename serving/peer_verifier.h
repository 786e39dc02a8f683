#pragma once

#include <grpcpp/security/tls_certificate_verifier.h>

#include <functional>
#include <memory>
#include <string>

#include "serving/peer_name.h"

namespace apollo {

// The server that a channel must reach.
struct ExpectedPeer {
  std::string trust_domain;
  PeerRole role = PeerRole::kRouter;
  // Its certificate must name this host. Empty: the host of the address that
  // the channel connects to.
  std::string host;
};

// Returns OK if a certificate, which is signed by an authority, is that of the
// expected server: has the role, in one URI of the trust domain, and names the
// host. `target` is the host, perhaps with a port, that the channel connects
// to. Returns UNAUTHENTICATED with the reason otherwise.
grpc::Status CheckServer(const ExpectedPeer& expected,
                         const std::string& certificate_pem,
                         const std::string& target);

// Returns CheckServer for gRPC, which calls it in each handshake, before
// anything is sent to the server.
std::shared_ptr<grpc::experimental::CertificateVerifier> MakePeerVerifier(
    ExpectedPeer expected);

}  // namespace apollo
