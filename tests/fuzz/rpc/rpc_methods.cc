#include "tests/fuzz/rpc/rpc_methods.h"

#include <absl/strings/str_cat.h>

#include "proto/apollo/internal/v1/generation.pb.h"
#include "proto/apollo/internal/v1/link.pb.h"
#include "proto/apollo/v1/admin.pb.h"
#include "proto/apollo/v1/inference.pb.h"
#include "proto/grpc/health/v1/health.pb.h"
#include "proto/grpc/reflection/v1/reflection.pb.h"

namespace apollo {
namespace {

using Methods =
    std::map<std::string, const google::protobuf::MethodDescriptor*>;

Methods MethodsOf(
    std::initializer_list<const google::protobuf::Descriptor*> messages) {
  Methods methods;
  for (const auto* message : messages) {
    const google::protobuf::FileDescriptor& file = *message->file();
    for (int s = 0; s < file.service_count(); ++s) {
      const google::protobuf::ServiceDescriptor& service = *file.service(s);
      for (int m = 0; m < service.method_count(); ++m) {
        methods[absl::StrCat(service.full_name(), "/",
                             service.method(m)->name())] = service.method(m);
      }
    }
  }
  return methods;
}

}  // namespace

const Methods& RpcMethods() {
  static const Methods* const methods = new Methods(MethodsOf(
      {v1::GenerateRequest::descriptor(), v1::DrainRequest::descriptor(),
       internal::v1::RunRequest::descriptor(),
       internal::v1::LinkMessage::descriptor(),
       grpc::health::v1::HealthCheckRequest::descriptor(),
       grpc::reflection::v1::ServerReflectionRequest::descriptor()}));
  return *methods;
}

}  // namespace apollo
