#pragma once

#include <absl/status/status.h>
#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "link/limits.h"
#include "link/link.h"
#include "link/worker_info.h"
#include "proto/apollo/internal/v1/link.grpc.pb.h"

namespace apollo {

// Links over gRPC: frames are sent on one bidirectional stream, payloads in
// pieces of at most 1 MB.

// Makes a channel to an address, with credentials and keepalive set.
using ChannelFactory =
    std::function<std::shared_ptr<grpc::Channel>(const std::string& address)>;
// Returns an error if the other end of a connection has not proven to be the
// worker that its description says; null: nobody proves anything.
using WorkerProof = std::function<absl::Status(
    const grpc::AuthContext& connection, const WorkerInfo& worker)>;
// A link whose peer does not pass `proof` ends with that error before its
// description reaches the handler.
Dialer MakeGrpcDialer(ChannelFactory channels, LinkLimits limits = {},
                      WorkerProof proof = nullptr);

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
  // `proof`: as for MakeGrpcDialer.
  explicit GrpcLinkService(LinkAcceptor& acceptor, LinkLimits limits = {},
                           WorkerProof proof = nullptr)
      : acceptor_(acceptor), limits_(limits), proof_(std::move(proof)) {}

  grpc::ServerBidiReactor<internal::v1::LinkMessage, internal::v1::LinkMessage>*
  Connect(grpc::CallbackServerContext* context) override;

 private:
  LinkAcceptor& acceptor_;
  const LinkLimits limits_;
  const WorkerProof proof_;
};

}  // namespace apollo
