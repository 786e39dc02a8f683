#pragma once

#include <grpcpp/grpcpp.h>

#include <string>
#include <vector>

#include "proto/grpc/reflection/v1/reflection.grpc.pb.h"
#include "serving/call_gate.h"

namespace apollo {

// Serves grpc.reflection.v1, from the descriptors of the generated code in this
// program. gRPC 1.51 itself has only v1alpha, which newer tools do not ask for.
// Thread-safe.
class ReflectionService final
    : public grpc::reflection::v1::ServerReflection::CallbackService {
 public:
  // `services`: the full names of all services of the server. Without a gate,
  // everybody may ask.
  explicit ReflectionService(std::vector<std::string> services,
                             CallGate gate = nullptr)
      : services_(std::move(services)), gate_(std::move(gate)) {}

  grpc::ServerBidiReactor<grpc::reflection::v1::ServerReflectionRequest,
                          grpc::reflection::v1::ServerReflectionResponse>*
  ServerReflectionInfo(grpc::CallbackServerContext* context) override;

  // Returns the answer to one request. Errors are a part of it: NOT_FOUND, or
  // INVALID_ARGUMENT for a request without a question.
  grpc::reflection::v1::ServerReflectionResponse Answer(
      const grpc::reflection::v1::ServerReflectionRequest& request) const;

 private:
  const std::vector<std::string> services_;
  const CallGate gate_;
};

}  // namespace apollo
