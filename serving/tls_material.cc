#include "serving/tls_material.h"

#include <absl/strings/str_cat.h>
#include <sys/stat.h>

#include <utility>

#include "common/mapped_file.h"
#include "common/status_macros.h"

namespace apollo {
namespace {

constexpr std::size_t kMaxFileBytes = 1 << 20;

// Names the flag and the file in an error.
absl::Status In(const char* flag, const std::string& path,
                const absl::Status& status) {
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat("--", flag, ": ", path, ": ",
                                                  status.message()));
}

absl::StatusOr<std::string> Read(const char* flag, const std::string& path) {
  absl::StatusOr<std::string> text = ReadFile(path, kMaxFileBytes);
  if (!text.ok()) {
    return absl::Status(
        text.status().code(),
        absl::StrCat("--", flag, ": ", text.status().message()));
  }
  return text;
}

}  // namespace

absl::StatusOr<TlsMaterial> ReadTlsMaterial(const TlsFiles& files,
                                            absl::Time now) {
  TlsMaterial material;
  ASSIGN_OR_RETURN(material.certificate, Read("tls_cert", files.certificate));
  ASSIGN_OR_RETURN(material.key, Read("tls_key", files.key));
  ASSIGN_OR_RETURN(material.authorities, Read("tls_ca", files.authorities));
  absl::StatusOr<Certificate> own = ParseCertificate(material.certificate);
  RETURN_IF_ERROR(In("tls_cert", files.certificate, own.status()));
  material.own = *std::move(own);
  RETURN_IF_ERROR(In("tls_ca", files.authorities,
                     ParseCertificate(material.authorities).status()));
  RETURN_IF_ERROR(
      In("tls_key", files.key, CheckKey(material.certificate, material.key)));
  if (now < material.own.not_before || now >= material.own.not_after) {
    return In(
        "tls_cert", files.certificate,
        absl::FailedPreconditionError(absl::StrCat(
            "its certificate is valid from ",
            absl::FormatTime(material.own.not_before, absl::UTCTimeZone()),
            " to ",
            absl::FormatTime(material.own.not_after, absl::UTCTimeZone()),
            ", not now")));
  }
  RETURN_IF_ERROR(
      In("tls_cert", files.certificate,
         CheckIssuer(material.certificate, material.authorities, now)));
  return material;
}

bool OthersMayRead(const std::string& path) {
  struct stat file = {};
  return stat(path.c_str(), &file) == 0 && (file.st_mode & S_IROTH) != 0;
}

}  // namespace apollo
