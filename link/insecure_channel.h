#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

namespace apollo {

// Returns a channel without keepalive, for tests. One channel is never
// destroyed: a call or link may destroy its own in a thread of gRPC, which must
// not happen to the last channel of a process (serving/server.cc).
inline std::shared_ptr<grpc::Channel> Insecure(const std::string& address) {
  std::shared_ptr<grpc::Channel> channel =
      grpc::CreateChannel(address, grpc::InsecureChannelCredentials());
  [[maybe_unused]] static const std::shared_ptr<
      grpc::Channel>* const volatile kept =
      new std::shared_ptr<grpc::Channel>(channel);
  return channel;
}

}  // namespace apollo
