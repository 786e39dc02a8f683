#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <string>

#include "serving/peer_name.h"
#include "serving/tls.h"

namespace apollo {

// Returns a channel to another process of the cluster, in plaintext. Keepalive
// ends dead connections within seconds, and reconnection is quick.
std::shared_ptr<grpc::Channel> MakeClusterChannel(const std::string& address);

using ClusterChannels =
    std::function<std::shared_ptr<grpc::Channel>(const std::string& address)>;

// Returns a maker of such channels to processes of a role: with `tls`, whose
// certificates their servers must have (Tls::ForChannels); null: in plaintext.
ClusterChannels ChannelsTo(PeerRole role, std::shared_ptr<Tls> tls);

}  // namespace apollo
