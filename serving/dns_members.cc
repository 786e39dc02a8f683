#include "serving/dns_members.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include <utility>

#include "common/status_macros.h"
#include "common/strings.h"
#include "serving/dns_resolver.h"
#include "serving/host_port.h"

namespace apollo {

absl::StatusOr<DnsMembers> DnsMembers::Parse(std::string_view list,
                                             const std::string& server) {
  if (list.find(':') == std::string_view::npos) {
    RETURN_IF_ERROR(DnsResolver::CheckName(list));
    return DnsMembers(
        [resolver = DnsResolver(server), name = std::string(list)] {
          return resolver.Services(name);
        });
  }
  const std::optional<HostPort> parsed = ParseHostPort(ToAbsl(list));
  if (!parsed || parsed->port == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"dns:", ToAbsl(list),
                     "\" has no port from 1 to 65535; it must be "
                     "dns:NAME:PORT, or dns:NAME for SRV records"));
  }
  RETURN_IF_ERROR(DnsResolver::CheckName(parsed->host));
  return DnsMembers([resolver = DnsResolver(server),
                     wanted = *parsed]() -> absl::StatusOr<Addresses> {
    ASSIGN_OR_RETURN(Addresses addresses, resolver.Addresses(wanted.host));
    for (std::string& address : addresses) {
      absl::StrAppend(&address, ":", wanted.port);
    }
    return addresses;
  });
}

DnsMembers::DnsMembers(Lookup lookup, const Clock& clock)
    : lookup_(std::move(lookup)), clock_(&clock) {}

absl::StatusOr<DnsMembers::Addresses> DnsMembers::Read() {
  absl::StatusOr<Addresses> found = lookup_();
  if (found.ok()) gone_since_.reset();
  if (!absl::IsNotFound(found.status())) return found;
  const absl::Duration now = clock_->Now();
  if (!gone_since_) gone_since_ = now;
  if (now - *gone_since_ >= kGrace) return Addresses();
  return absl::NotFoundError(absl::StrCat(found.status().message(),
                                          "; the last ones stay for ",
                                          absl::FormatDuration(kGrace)));
}

}  // namespace apollo
