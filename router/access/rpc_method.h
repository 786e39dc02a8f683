#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace apollo {

// What a caller may be allowed to call on a router: the methods of
// apollo.v1.InferenceService, and reflection, which is one for all versions.
// Every other method is denied, except grpc.health.v1.Health.
enum class RpcMethod {
  kGenerate,
  kComplete,
  kScore,
  kTokenize,
  kDetectLanguage,
  kGetModel,
  kGetRouting,
  kGetStatus,
  kReflection,
};

inline constexpr int kRpcMethods = static_cast<int>(RpcMethod::kReflection) + 1;

// Returns the name of a method in policies, metrics and errors: "Generate",
// "reflection".
const char* NameOf(RpcMethod method);

// Returns the method with the name, or nullopt.
std::optional<RpcMethod> RpcMethodNamed(std::string_view name);

// Returns the method of the path of a call, for example
// "/apollo.v1.InferenceService/Generate", or nullopt.
std::optional<RpcMethod> RpcMethodOfPath(std::string_view path);

// Returns the names of all methods.
std::vector<std::string> RpcMethodNames();

// Returns true for the methods whose calls hold sequences while they run.
constexpr bool RunsSequences(RpcMethod method) {
  return method == RpcMethod::kGenerate || method == RpcMethod::kComplete ||
         method == RpcMethod::kScore;
}

}  // namespace apollo
