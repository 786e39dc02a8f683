#include "serving/unknown_methods.h"

namespace apollo {
namespace {

class EndingCall final : public grpc::ServerGenericBidiReactor {
 public:
  explicit EndingCall(const grpc::Status& error) { Finish(error); }

 private:
  void OnDone() override { delete this; }
};

}  // namespace

grpc::ServerGenericBidiReactor* UnknownMethods::CreateReactor(
    grpc::GenericCallbackServerContext* context) {
  grpc::Status error =
      gate_ == nullptr ? grpc::Status::OK : gate_(*context, context->method());
  if (error.ok()) {
    error = grpc::Status(grpc::StatusCode::UNIMPLEMENTED,
                         "the server does not have this method");
  }
  return new EndingCall(error);  // Deletes itself.
}

}  // namespace apollo
