#pragma once

#include <absl/functional/any_invocable.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.h"

namespace apollo {

// A list of workers in DNS. A name that disappears may have been removed by
// mistake, or for a moment while its service is restarted, so its last
// addresses are kept for kGrace. Single-threaded.
class DnsMembers {
 public:
  using Addresses = std::vector<std::string>;
  // Looks the list up: see DnsResolver for its errors.
  using Lookup = absl::AnyInvocable<absl::StatusOr<Addresses>()>;

  // Parses the part of a list behind "dns:": NAME:PORT for all addresses of
  // NAME with one port, or NAME for the SRV records of NAME. `server`: see
  // DnsResolver. Returns INVALID_ARGUMENT for a name or a port that is none.
  static absl::StatusOr<DnsMembers> Parse(std::string_view list,
                                          const std::string& server);

  // `clock` must outlive the object.
  explicit DnsMembers(Lookup lookup, const Clock& clock = Clock::Real());

  // Returns the addresses, in a fixed order. Errors leave the last list in use:
  // UNAVAILABLE if DNS does not answer, NOT_FOUND while the name has had no
  // addresses for less than kGrace; afterwards the list is empty.
  absl::StatusOr<Addresses> Read();

  static constexpr absl::Duration kInterval = absl::Seconds(1);
  static constexpr absl::Duration kGrace = absl::Seconds(10);

 private:
  Lookup lookup_;
  const Clock* clock_;
  std::optional<absl::Duration> gone_since_;
};

}  // namespace apollo
