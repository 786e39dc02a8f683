#pragma once

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>

#include <utility>

#include "serving/call_gate.h"

namespace apollo {

// Ends all calls of methods that no service of a server has: with the error of
// the gate (null: none), so that strangers learn nothing, or with
// UNIMPLEMENTED.
class UnknownMethods final : public grpc::CallbackGenericService {
 public:
  explicit UnknownMethods(CallGate gate) : gate_(std::move(gate)) {}

 private:
  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext* context) override;

  const CallGate gate_;
};

}  // namespace apollo
