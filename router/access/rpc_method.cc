#include "router/access/rpc_method.h"

#include <array>

namespace apollo {
namespace {

constexpr std::array<const char*, kRpcMethods> kNames = {
    "Generate", "Complete",   "Score",     "Tokenize",  "DetectLanguage",
    "GetModel", "GetRouting", "GetStatus", "reflection"};

constexpr std::string_view kService = "/apollo.v1.InferenceService/";
constexpr std::string_view kReflectionPackage = "/grpc.reflection.";

}  // namespace

const char* NameOf(RpcMethod method) {
  return kNames[static_cast<std::size_t>(method)];
}

std::optional<RpcMethod> RpcMethodNamed(std::string_view name) {
  for (int i = 0; i < kRpcMethods; ++i) {
    const auto method = static_cast<RpcMethod>(i);
    if (name == NameOf(method)) return method;
  }
  return std::nullopt;
}

std::optional<RpcMethod> RpcMethodOfPath(std::string_view path) {
  if (path.starts_with(kReflectionPackage)) return RpcMethod::kReflection;
  if (!path.starts_with(kService)) return std::nullopt;
  const auto method = RpcMethodNamed(path.substr(kService.size()));
  return method == RpcMethod::kReflection ? std::nullopt : method;
}

std::vector<std::string> RpcMethodNames() {
  return {kNames.begin(), kNames.end()};
}

}  // namespace apollo
