#include "tools/apollo/bearer_token.h"

#include <absl/status/status.h>
#include <absl/strings/ascii.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/string_view.h>

#include <algorithm>
#include <cstddef>
#include <utility>

#include "common/mapped_file.h"
#include "common/mutex.h"
#include "common/status_macros.h"

namespace apollo::client {
namespace {

using grpc::experimental::InterceptionHookPoints;
using grpc::experimental::InterceptorBatchMethods;

// More than routers take as the headers of a call.
constexpr std::size_t kMaxTokenBytes = 64 << 10;

// RFC 6750, section 2.1.
bool IsOfToken(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
         absl::string_view("-._~+/=").find(c) != absl::string_view::npos;
}

class TokenInterceptor final : public grpc::experimental::Interceptor {
 public:
  explicit TokenInterceptor(std::string token) : token_(std::move(token)) {}

  void Intercept(InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(
            InterceptionHookPoints::PRE_SEND_INITIAL_METADATA)) {
      methods->GetSendInitialMetadata()->emplace("authorization",
                                                 "Bearer " + token_);
    }
    methods->Proceed();
  }

 private:
  const std::string token_;
};

class TokenSender final
    : public grpc::experimental::ClientInterceptorFactoryInterface {
 public:
  TokenSender(std::string file, std::string token)
      : file_(std::move(file)), token_(std::move(token)) {}

  grpc::experimental::Interceptor* CreateClientInterceptor(
      grpc::experimental::ClientRpcInfo* /*call*/) override {
    MutexLock lock(mutex_);
    if (auto renewed = ReadToken(file_); renewed.ok()) {
      token_ = *std::move(renewed);
    }
    return new TokenInterceptor(token_);  // gRPC owns it.
  }

 private:
  const std::string file_;
  Mutex mutex_;
  std::string token_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

absl::StatusOr<std::string> ReadToken(const std::string& file) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(file, kMaxTokenBytes));
  const absl::string_view token = absl::StripAsciiWhitespace(text);
  if (token.empty() || !std::all_of(token.begin(), token.end(), IsOfToken)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--token_file: ", file,
        " has no bearer token; it must be one line of letters, digits and "
        "\"-._~+/=\""));
  }
  return std::string(token);
}

std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>
MakeTokenSender(std::string file, std::string token) {
  return std::make_unique<TokenSender>(std::move(file), std::move(token));
}

}  // namespace apollo::client
