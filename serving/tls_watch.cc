#include "serving/tls_watch.h"

#include <cstdint>
#include <utility>

#include "common/log.h"
#include "common/status_macros.h"

namespace apollo {
namespace {

constexpr absl::Duration kDay = absl::Hours(24);

std::string Text(absl::Time time) {
  return absl::FormatTime(absl::RFC3339_sec, time, absl::UTCTimeZone());
}

}  // namespace

TlsWatch::TlsWatch(TlsFiles files, TlsMaterial current, Taker take)
    : files_(std::move(files)),
      take_(std::move(take)),
      current_(std::move(current)) {}

void TlsWatch::Look(absl::Time now) {
  Report(Renew(now, /*at_once=*/false), now);
}

absl::Status TlsWatch::ReadNow(absl::Time now) {
  absl::Status status = Renew(now, /*at_once=*/true);
  Report(status, now);
  return status;
}

void TlsWatch::Report(const absl::Status& status, absl::Time now) {
  const std::string refusal(status.message());
  if (!status.ok() && refusal != refusal_) {
    LogError(
        "certificate_refused",
        {{"reason", refusal}, {"kept_until", Text(current_.own.not_after)}});
  }
  refusal_ = refusal;
  WarnIfExpiring(now);
}

absl::Status TlsWatch::Renew(absl::Time now, bool at_once) {
  absl::StatusOr<TlsMaterial> read = ReadTlsMaterial(files_, now);
  if (!read.ok()) {
    seen_.reset();
    return read.status();
  }
  if (*read == current_) {
    seen_.reset();
    return absl::OkStatus();
  }
  if (!at_once && (!seen_ || *read != *seen_)) {
    seen_ = *std::move(read);
    return absl::OkStatus();
  }
  seen_.reset();
  RETURN_IF_ERROR(take_(*read));
  current_ = *std::move(read);
  warn_again_ = absl::InfinitePast();
  LogInfo("certificate_renewed", {{"expires", Text(current_.own.not_after)},
                                  {"sha256", current_.own.sha256}});
  return absl::OkStatus();
}

void TlsWatch::WarnIfExpiring(absl::Time now) {
  const absl::Time expiry = current_.own.not_after;
  if (now + kWarning < expiry || now < warn_again_) return;
  warn_again_ = now + kDay;
  LogWarning("certificate_expiring",
             {{"expires", Text(expiry)},
              {"hours_left",
               static_cast<std::int64_t>((expiry - now) / absl::Hours(1))}});
}

}  // namespace apollo
