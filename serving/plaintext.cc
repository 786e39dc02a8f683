#include "serving/plaintext.h"

#include <absl/strings/str_cat.h>
#include <arpa/inet.h>

#include <optional>

#include "common/strings.h"
#include "serving/host_port.h"

namespace apollo {

bool IsLocalAddress(std::string_view address) {
  if (address.starts_with("unix:")) return true;
  const std::optional<HostPort> parsed = ParseHostPort(ToAbsl(address));
  if (!parsed) return false;
  if (parsed->host == "localhost" || parsed->host == "[::1]") return true;
  in_addr ip;
  return inet_pton(AF_INET, parsed->host.c_str(), &ip) == 1 &&
         ntohl(ip.s_addr) >> 24 == 127;
}

absl::Status CheckPlaintext(std::string_view address) {
  if (IsLocalAddress(address)) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      ToAbsl(address),
      " is not on this machine alone (127.0.0.1, [::1]), and plaintext could "
      "be read on the way; give --tls_cert, --tls_key and --tls_ca, or "
      "--allow_plaintext for a network that nobody else can read"));
}

}  // namespace apollo
