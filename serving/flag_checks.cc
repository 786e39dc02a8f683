#include "serving/flag_checks.h"

#include <absl/strings/str_cat.h>
#include <arpa/inet.h>

#include <optional>
#include <string>

#include "common/strings.h"
#include "serving/host_port.h"
#include "serving/unix_address.h"

namespace apollo {

absl::Status CheckAtLeastOne(std::string_view flag, std::int64_t value) {
  if (value >= 1) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "--", ToAbsl(flag), " is ", value, "; it must be at least 1"));
}

absl::Status CheckFromTo(std::string_view flag, std::int64_t value,
                         std::int64_t least, std::int64_t most) {
  if (value >= least && value <= most) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("--", ToAbsl(flag), " is ",
                                                 value, "; it must be from ",
                                                 least, " to ", most));
}

absl::Status CheckAboveZero(std::string_view flag, absl::Duration value) {
  if (value > absl::ZeroDuration()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("--", ToAbsl(flag), " is ", absl::FormatDuration(value),
                   "; it must be more than 0, for example 10s"));
}

absl::Status CheckNotNegative(std::string_view flag, absl::Duration value) {
  if (value >= absl::ZeroDuration()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("--", ToAbsl(flag), " is ", absl::FormatDuration(value),
                   "; it must be at least 0, for example 10s"));
}

namespace {

// Returns false for what can only be an IPv4 address but is none, such as
// 999.1.1.1.
bool CouldBeHost(const std::string& host) {
  if (host.empty()) return true;
  if (host.find_first_not_of("0123456789.") != std::string::npos) return true;
  in_addr address;
  return inet_pton(AF_INET, host.c_str(), &address) == 1;
}

}  // namespace

absl::Status CheckListenAddress(std::string_view flag, std::string_view value) {
  const std::optional<HostPort> address = ParseHostPort(ToAbsl(value));
  if (address && CouldBeHost(address->host)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "--", ToAbsl(flag), " is \"", ToAbsl(value),
      "\"; it must be host:port with a port from 0 (any) to 65535"));
}

absl::Status CheckSocketOrListenAddress(std::string_view flag,
                                        std::string_view value) {
  if (!value.starts_with("unix:")) return CheckListenAddress(flag, value);
  const std::optional<std::string> path = UnixPath(value);
  if (path && path->size() <= kMaxUnixPath) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "--", ToAbsl(flag), " is \"", ToAbsl(value),
      "\"; a Unix socket must be unix:/path, with a path of at most ",
      kMaxUnixPath, " bytes"));
}

}  // namespace apollo
