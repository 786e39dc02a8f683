#include "tests/fuzz/rpc/rpc_client.h"

#include <absl/strings/str_cat.h>

#include <chrono>
#include <memory>

#include "common/check.h"

namespace apollo {
namespace {

void* const kTag = nullptr;

}  // namespace

RpcClient::RpcClient(const std::string& address)
    : channel_(
          grpc::CreateChannel(address, grpc::InsecureChannelCredentials())),
      stub_(channel_) {}

RpcClient::~RpcClient() {
  queue_.Shutdown();
  void* tag = nullptr;
  for (bool ok = false; queue_.Next(&tag, &ok);) continue;
}

bool RpcClient::Wait() {
  void* tag = nullptr;
  bool ok = false;
  APOLLO_CHECK(queue_.Next(&tag, &ok));
  return ok;
}

grpc::Status RpcClient::Call(const google::protobuf::MethodDescriptor& method,
                             const std::vector<std::string>& messages) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::seconds(kSeconds));
  const auto call = stub_.PrepareCall(
      &context,
      absl::StrCat("/", method.service()->full_name(), "/", method.name()),
      &queue_);
  call->StartCall(kTag);
  bool open = Wait();
  for (const std::string& message : messages) {
    if (!open) break;
    const grpc::Slice slice(message);
    call->Write(grpc::ByteBuffer(&slice, 1), kTag);
    open = Wait();
  }
  if (open) {
    call->WritesDone(kTag);
    Wait();
  }
  grpc::ByteBuffer response;
  for (bool more = true; more;) {
    call->Read(&response, kTag);
    more = Wait();
    if (method.name() == "Watch") context.TryCancel();
  }
  grpc::Status status;
  call->Finish(&status, kTag);
  Wait();
  return status;
}

}  // namespace apollo
