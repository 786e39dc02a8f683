// Any bytes as the request of any method, over a connection and through the
// real service: the call ends, with an error of the protocol if it fails, whose
// text has nothing of the prompt; and no sequence starts that a dense worker
// would refuse.
//
// The input is a line with the method's path, and its request. Messages of a
// method to which clients stream stand each after its size.

#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/message.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/check.h"
#include "common/log.h"
#include "tests/fuzz/rpc/rpc_client.h"
#include "tests/fuzz/rpc/rpc_methods.h"
#include "tests/fuzz/rpc/rpc_server.h"

namespace apollo {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::MethodDescriptor;

constexpr std::size_t kMostMessages = 32;
// Shorter texts may be in an error by chance.
constexpr std::size_t kTellingText = 12;

std::vector<std::string> Split(std::string_view bytes) {
  google::protobuf::io::CodedInputStream input(
      reinterpret_cast<const std::uint8_t*>(bytes.data()),
      static_cast<int>(bytes.size()));
  std::vector<std::string> messages;
  std::uint32_t size = 0;
  std::string message;
  while (messages.size() < kMostMessages && input.ReadVarint32(&size) &&
         input.ReadString(&message, static_cast<int>(size & 0xffff))) {
    messages.push_back(message);
  }
  return messages;
}

// Returns null if the bytes are no message of the type.
std::unique_ptr<Message> Parse(const google::protobuf::Descriptor& type,
                               const std::string& bytes) {
  std::unique_ptr<Message> message(
      google::protobuf::MessageFactory::generated_factory()
          ->GetPrototype(&type)
          ->New());
  if (!message->ParseFromString(bytes)) return nullptr;
  return message;
}

// Checks that the error has none of the texts that patients write.
void CheckPrivate(const Message& message, const std::string& error) {
  static const auto* const patients = new std::set<std::string>{
      "prompt", "content", "text", "continuations", "token_text"};
  std::vector<const FieldDescriptor*> fields;
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  reflection.ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    const int count =
        field->is_repeated() ? reflection.FieldSize(message, field) : 1;
    for (int i = 0; i < count; ++i) {
      if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
        CheckPrivate(field->is_repeated()
                         ? reflection.GetRepeatedMessage(message, field, i)
                         : reflection.GetMessage(message, field),
                     error);
      } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING &&
                 patients->contains(std::string(field->name()))) {
        const std::string text =
            field->is_repeated()
                ? reflection.GetRepeatedString(message, field, i)
                : reflection.GetString(message, field);
        if (text.size() < kTellingText) continue;
        // Also where it is cut.
        const std::string begin = text.substr(0, kTellingText);
        const std::string end = text.substr(text.size() - kTellingText);
        APOLLO_CHECK(error.find(begin) == std::string::npos &&
                     error.find(end) == std::string::npos);
      }
    }
  }
}

void CheckStatus(const MethodDescriptor& method,
                 const std::vector<std::string>& messages,
                 const grpc::Status& status) {
  APOLLO_CHECK(status.error_code() != grpc::StatusCode::DEADLINE_EXCEEDED);
  for (const std::string& bytes : messages) {
    const std::unique_ptr<Message> message = Parse(*method.input_type(), bytes);
    // gRPC itself answers for methods that it parses.
    if (message == nullptr) return;
    CheckPrivate(*message, status.error_message() + status.error_details());
  }
  for (const grpc::StatusCode wrong :
       {grpc::StatusCode::UNKNOWN, grpc::StatusCode::INTERNAL,
        grpc::StatusCode::UNIMPLEMENTED}) {
    APOLLO_CHECK(status.error_code() != wrong);
  }
}

void Try(std::string_view input) {
  static auto* const server = new RpcServer;
  static auto* const client = new RpcClient(server->address());
  const std::size_t line = input.find('\n');
  if (line == std::string_view::npos) return;
  const auto it = RpcMethods().find(std::string(input.substr(0, line)));
  if (it == RpcMethods().end()) return;
  const MethodDescriptor& method = *it->second;
  const std::string_view request = input.substr(line + 1);
  const std::vector<std::string> messages =
      method.client_streaming() ? Split(request)
                                : std::vector{std::string(request)};
  CheckStatus(method, messages, client->Call(method, messages));
  SetLogLevel(LogLevel::kError);  // Or as a request wants.
}

}  // namespace
}  // namespace apollo

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, size_t size) {
  apollo::Try({reinterpret_cast<const char*>(data), size});
  return 0;
}
