#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>

#include "link/limits.h"
#include "link/link.h"
#include "proto/apollo/internal/v1/link.grpc.pb.h"

namespace apollo {

// Links over gRPC: frames travel inline on one bidirectional stream, payloads
// in pieces of at most 1 MB.

// Makes a channel, with the credentials and keepalive in use, to an address.
using ChannelFactory =
    std::function<std::shared_ptr<grpc::Channel>(const std::string& address)>;
Dialer MakeGrpcDialer(ChannelFactory channels, LinkLimits limits = {});

// Decides about links that peers open.
class LinkAcceptor {
 public:
  virtual ~LinkAcceptor() = default;
  // A peer has opened `link`. Returns who receives its frames; null refuses it.
  // Called from a thread of gRPC; must not block.
  virtual std::shared_ptr<FrameHandler> OnAccept(
      std::shared_ptr<Link> link) = 0;
};

// The service to register with a server. The acceptor must outlive it. Shutting
// the server down ends all links.
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
