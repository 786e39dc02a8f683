#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <functional>
#include <optional>
#include <string>

#include "serving/tls_material.h"

namespace apollo {

// Looks whether the files of a certificate have changed, and hands over what is
// new. A state of the files that is not complete and valid (ReadTlsMaterial),
// as while they are being written, changes nothing: the old certificate stays
// in use. Single-threaded.
class TlsWatch {
 public:
  // Checks and takes new material. An error refuses it.
  using Taker = std::function<absl::Status(const TlsMaterial&)>;

  // `current` is what is in use at first.
  TlsWatch(TlsFiles files, TlsMaterial current, Taker take);

  // Reads the files. A change counts when the next look finds the same again,
  // since files may be written in parts. Logs certificate_renewed when it is
  // taken; certificate_refused, once for each reason, if it is not; and
  // certificate_expiring once a day in the last kWarning of a certificate.
  void Look(absl::Time now);

  // Does the same, but takes a change at once: whoever asks for it knows that
  // the files are complete. Returns why they are not in use.
  absl::Status ReadNow(absl::Time now);

  const TlsMaterial& current() const { return current_; }

  static constexpr absl::Duration kInterval = absl::Seconds(1);
  static constexpr absl::Duration kWarning = absl::Hours(14 * 24);

 private:
  absl::Status Renew(absl::Time now, bool at_once);
  void Report(const absl::Status& status, absl::Time now);
  void WarnIfExpiring(absl::Time now);

  const TlsFiles files_;
  const Taker take_;
  TlsMaterial current_;
  std::optional<TlsMaterial> seen_;  // At the last look, if not in use.
  std::string refusal_;              // Logged last; empty: none since.
  absl::Time warn_again_ = absl::InfinitePast();
};

}  // namespace apollo
