#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>

#include "link/limits.h"
#include "link/link.h"
#include "proto/apollo/internal/v1/link.grpc.pb.h"

namespace apollo {

// Links over gRPC: frames are sent on one bidirectional stream, payloads in
// pieces of at most 1 MB.

// Makes a channel to an address, with credentials and keepalive set.
using ChannelFactory =
    std::function<std::shared_ptr<grpc::Channel>(const std::string& address)>;
Dialer MakeGrpcDialer(ChannelFactory channels, LinkLimits limits = {});

// Accepts or refuses the links that peers open.
class LinkAcceptor {
 public:
  virtual ~LinkAcceptor() = default;
  // Called when a peer has opened `link`, in a thread of gRPC; must not block.
  // Returns the receiver of its frames, or null to refuse it.
  virtual std::shared_ptr<FrameHandler> OnAccept(
      std::shared_ptr<Link> link) = 0;
};

// The gRPC service for links. The acceptor must outlive it. Shutting the server
// down ends all links.
class GrpcLinkService final
    : public internal::v1::LinkService::CallbackService {
 public:
  explicit GrpcLinkService(LinkAcceptor& acceptor, LinkLimits limits = {})
      : acceptor_(acceptor), limits_(limits) {}

  grpc::ServerBidiReactor<internal::v1::LinkMessage, internal::v1::LinkMessage>*
  Connect(grpc::CallbackServerContext* context) override;

 private:
  LinkAcceptor& acceptor_;
  const LinkLimits limits_;
};

}  // namespace apollo
