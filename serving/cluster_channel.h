#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <string>

#include "serving/peer_name.h"
#include "serving/tls.h"

namespace apollo {

// Received messages at most, in bytes: from a dense worker, whose description
// includes those of all expert workers, each with up to 400 KB of placement,
// and from others.
inline constexpr int kMaxDenseMessageBytes = 64 << 20;
inline constexpr int kMaxClusterMessageBytes = 4 << 20;

// Returns a channel to another process of the cluster that is no dense worker,
// in plaintext. Keepalive ends dead connections within seconds, and
// reconnection is quick.
std::shared_ptr<grpc::Channel> MakeClusterChannel(const std::string& address);

using ClusterChannels =
    std::function<std::shared_ptr<grpc::Channel>(const std::string& address)>;

// Returns a maker of such channels to processes of any role: with `tls`, whose
// certificates their servers must have (Tls::ForChannels); null: in plaintext.
ClusterChannels ChannelsTo(PeerRole role, std::shared_ptr<Tls> tls);

}  // namespace apollo
