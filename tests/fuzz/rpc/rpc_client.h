#pragma once

#include <google/protobuf/descriptor.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <string>
#include <vector>

namespace apollo {

// Calls methods of a server with messages of any bytes. Single-threaded.
class RpcClient {
 public:
  explicit RpcClient(const std::string& address);
  ~RpcClient();

  // The time that a call may take: only one that hangs takes it.
  static constexpr int kSeconds = 60;

  // Sends the messages and then reads until the call ends. A call of a method
  // that streams for ever is cancelled after its first response. Returns the
  // status of the call.
  grpc::Status Call(const google::protobuf::MethodDescriptor& method,
                    const std::vector<std::string>& messages);

 private:
  // Waits for the operation that has been begun. Returns true if it succeeded.
  bool Wait();

  const std::shared_ptr<grpc::Channel> channel_;
  grpc::GenericStub stub_;
  grpc::CompletionQueue queue_;
};

}  // namespace apollo
