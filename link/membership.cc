#include "link/membership.h"

#include <absl/status/status.h>
#include <absl/strings/ascii.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>

#include <algorithm>

#include "common/log.h"
#include "common/mapped_file.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace apollo {
namespace {

constexpr std::size_t kMaxFileBytes = 1 << 20;

absl::Status CheckAddress(absl::string_view address) {
  const std::size_t colon = address.rfind(':');
  int port = 0;
  if (colon == absl::string_view::npos || colon == 0 ||
      !absl::SimpleAtoi(address.substr(colon + 1), &port) || port < 1 ||
      port > 65535) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", address,
                     "\" is not an address; write host:port with a port from "
                     "1 to 65535"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> ParseAddresses(absl::string_view text,
                                                        char separator) {
  std::vector<std::string> addresses;
  for (absl::string_view part : absl::StrSplit(text, separator)) {
    part = absl::StripAsciiWhitespace(part);
    if (part.empty() || part[0] == '#') continue;
    RETURN_IF_ERROR(CheckAddress(part));
    std::string address(part);
    if (std::find(addresses.begin(), addresses.end(), address) ==
        addresses.end()) {
      addresses.push_back(std::move(address));
    }
  }
  return addresses;
}

}  // namespace

absl::StatusOr<Membership> Membership::Parse(std::string_view list) {
  constexpr std::string_view kFile = "file:";
  Membership membership;
  if (list.substr(0, kFile.size()) == kFile) {
    membership.path_ = std::string(list.substr(kFile.size()));
    if (membership.path_.empty()) {
      return absl::InvalidArgumentError("\"file:\" needs a path behind it");
    }
    return membership;
  }
  ASSIGN_OR_RETURN(membership.addresses_, ParseAddresses(ToAbsl(list), ','));
  return membership;
}

void Membership::Report(const absl::Status& status) {
  if (status == file_status_) return;
  file_status_ = status;
  if (status.ok()) {
    LogInfo(
        "workers_file_right_again",
        {{"file", path_}, {"workers", static_cast<int>(addresses_.size())}});
    return;
  }
  LogError("workers_file_wrong",
           {{"file", path_},
            {"reason", std::string(status.message())},
            {"workers_kept", static_cast<int>(addresses_.size())}});
}

const std::vector<std::string>& Membership::Current() {
  if (!path_.empty()) {
    const auto text = ReadFile(path_, kMaxFileBytes);
    // An empty file is one that is just being written; a comment says "no one".
    if (text.ok() && text->empty()) return addresses_;
    absl::Status status = text.status();
    if (status.ok()) {
      auto addresses = ParseAddresses(*text, '\n');
      status = addresses.status();
      if (addresses.ok()) addresses_ = *std::move(addresses);
    }
    Report(status);
  }
  return addresses_;
}

}  // namespace apollo
