#include "serving/dns_flags.h"

#include <absl/flags/flag.h>
#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "serving/dns_resolver.h"

ABSL_FLAG(std::string, dns_server, "",
          "DNS server for lists of workers that begin with dns:, as "
          "address:port, for example 10.96.0.10:53. Default: those of "
          "/etc/resolv.conf.");

namespace apollo {

absl::StatusOr<std::string> ReadDnsServer() {
  std::string server = absl::GetFlag(FLAGS_dns_server);
  if (server.empty()) return server;
  const absl::Status status = DnsResolver::CheckServer(server);
  if (status.ok()) return server;
  return absl::InvalidArgumentError(
      absl::StrCat("--dns_server: ", status.message()));
}

}  // namespace apollo
