#pragma once

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <string>
#include <string_view>
#include <vector>

namespace apollo {

// Looks names up in DNS, by c-ares: neither /etc/hosts nor search domains are
// asked, and nothing is cached. Each look-up reads /etc/resolv.conf again,
// which may not exist yet when a process starts. Thread-safe.
//
// Look-ups block until all servers have been tried, for at most kLongest. They
// return
//
// - NOT_FOUND if DNS answers that the name does not exist, or that it has no
//   such records;
// - UNAVAILABLE if no server gives an answer that can be used, or a part of the
//   answer is missing: then nothing is known. The reason is a constant text for
//   each kind of failure.
class DnsResolver {
 public:
  // `server` is asked instead of those of /etc/resolv.conf if it is not empty.
  // It is one that CheckServer accepts.
  explicit DnsResolver(std::string server = "");

  // Returns the addresses of a host, of both families, in a fixed order,
  // without repeats. Those of IPv6 have brackets.
  absl::StatusOr<std::vector<std::string>> Addresses(
      const std::string& name) const;

  // Returns host:port, in a fixed order, of all SRV records of a service
  // (RFC 2782), with the addresses of each target in place of its name. All
  // priorities and weights count alike.
  absl::StatusOr<std::vector<std::string>> Services(
      const std::string& name) const;

  // Returns OK, or INVALID_ARGUMENT unless the text is an address and a port:
  // 10.0.0.1:53 or [::1]:53.
  static absl::Status CheckServer(std::string_view server);
  // Returns OK, or INVALID_ARGUMENT unless the text can be a name in DNS:
  // labels of 1 to 63 letters, digits, "-" and "_", joined by ".", at most 253
  // characters, and no address.
  static absl::Status CheckName(std::string_view name);

  static constexpr absl::Duration kFirstTry = absl::Milliseconds(300);
  static constexpr absl::Duration kLongest = absl::Milliseconds(1500);

 private:
  const std::string server_;
};

}  // namespace apollo
