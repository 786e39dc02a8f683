#include "serving/unknown_methods.h"

#include <string>

namespace apollo {
namespace {

class EndingCall final : public grpc::ServerGenericBidiReactor {
 public:
  explicit EndingCall(const absl::Status& error) {
    Finish(grpc::Status(static_cast<grpc::StatusCode>(error.code()),
                        std::string(error.message())));
  }

 private:
  void OnDone() override { delete this; }
};

}  // namespace

grpc::ServerGenericBidiReactor* UnknownMethods::CreateReactor(
    grpc::GenericCallbackServerContext* context) {
  absl::Status error =
      gate_ == nullptr ? absl::OkStatus() : gate_(*context, context->method());
  if (error.ok()) {
    error = absl::UnimplementedError("the server does not have this method");
  }
  return new EndingCall(error);  // Deletes itself.
}

}  // namespace apollo
