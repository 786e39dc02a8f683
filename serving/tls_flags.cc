#include "serving/tls_flags.h"

#include <absl/flags/declare.h>
#include <absl/flags/flag.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <string>
#include <utility>

#include "common/status_macros.h"
#include "serving/plaintext.h"

ABSL_FLAG(std::string, tls_cert, "",
          "File with the certificate of this process, in PEM form, then those "
          "of its issuers. With --tls_key and --tls_ca: mutual TLS on the gRPC "
          "port and for all calls to other processes. It must have the "
          "alternative name URI:spiffe://apollo/ROLE/NAME. New files are used "
          "without a restart. Default: plaintext, on this machine only.");
ABSL_FLAG(std::string, tls_key, "",
          "File with the private key of --tls_cert, in PEM form, without a "
          "passphrase; only this process should be able to read it.");
ABSL_FLAG(std::string, tls_ca, "",
          "File with the certificates, in PEM form, of the authorities that "
          "sign those of all peers.");
ABSL_FLAG(std::string, tls_trust_domain, apollo::TlsOptions().trust_domain,
          "Trust domain of the names in certificates: "
          "spiffe://TRUST_DOMAIN/ROLE/NAME.");
ABSL_FLAG(std::string, tls_server_name, "",
          "Host that the certificates of the called workers must name. "
          "Default: the host in the address of each.");
ABSL_FLAG(bool, allow_plaintext, false,
          "Without certificates, also serve and call beyond this machine, "
          "UNENCRYPTED and for everybody: only in a network that nobody else "
          "can read.");
ABSL_FLAG(bool, metrics_plaintext, false,
          "Also serve metrics beyond this machine, in plaintext: they tell "
          "nothing about patients, but much about the cluster. "
          "--allow_plaintext includes that.");
ABSL_DECLARE_FLAG(std::string, name);

namespace apollo {
namespace {

absl::Status CheckTrustDomain(const std::string& domain) {
  const bool valid =
      !domain.empty() && std::all_of(domain.begin(), domain.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' ||
               c == '-' || c == '_';
      });
  if (valid) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("--tls_trust_domain is \"", domain,
                   "\"; it must consist of lower-case letters, digits, dots, "
                   "dashes and underscores"));
}

absl::Status CheckName(const PeerName& self, ProcessFlags& flags) {
  if (absl::GetFlag(FLAGS_name).empty()) flags.name = self.name;
  if (flags.name == self.name) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("--name is \"", flags.name,
                   "\", but the certificate of --tls_cert is "
                   "that of \"",
                   self.name,
                   "\"; leave out --name, or give the certificate "
                   "of this process"));
}

absl::Status CheckMetrics(const std::string& listen) {
  if (IsLocalAddress(listen) || absl::GetFlag(FLAGS_metrics_plaintext)) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(absl::StrCat(
      "--metrics_listen: ", listen,
      " is not on this machine alone (127.0.0.1, [::1]), and metrics are "
      "served in plaintext; give --metrics_plaintext if all who reach that "
      "port may read them"));
}

}  // namespace

absl::StatusOr<std::optional<TlsOptions>> ReadTlsFlags() {
  TlsOptions options;
  const std::pair<const char*, std::string*> files[] = {
      {"tls_cert", &options.files.certificate},
      {"tls_key", &options.files.key},
      {"tls_ca", &options.files.authorities}};
  options.files = {absl::GetFlag(FLAGS_tls_cert), absl::GetFlag(FLAGS_tls_key),
                   absl::GetFlag(FLAGS_tls_ca)};
  std::string missing, given;
  for (const auto& [flag, path] : files) {
    absl::StrAppend(path->empty() ? &missing : &given, " --", flag);
  }
  if (given.empty()) return std::optional<TlsOptions>();
  if (!missing.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("TLS needs all three files: missing are", missing));
  }
  options.trust_domain = absl::GetFlag(FLAGS_tls_trust_domain);
  RETURN_IF_ERROR(CheckTrustDomain(options.trust_domain));
  options.server_name = absl::GetFlag(FLAGS_tls_server_name);
  return options;
}

absl::Status SecureProcess(PeerRole role, absl::Time now, ProcessFlags& flags) {
  flags.plaintext_allowed = absl::GetFlag(FLAGS_allow_plaintext);
  ASSIGN_OR_RETURN(const std::optional<TlsOptions> options, ReadTlsFlags());
  if (options) {
    ASSIGN_OR_RETURN(flags.server.tls, Tls::Open(*options, role, now));
    RETURN_IF_ERROR(CheckName(flags.server.tls->self(), flags));
  }
  if (flags.plaintext_allowed) return absl::OkStatus();
  if (!options) {
    const absl::Status local = CheckPlaintext(flags.server.listen);
    if (!local.ok()) {
      return absl::Status(local.code(),
                          absl::StrCat("--listen: ", local.message()));
    }
  }
  return CheckMetrics(flags.server.metrics_listen);
}

Membership::Check PeerCheck(const ProcessFlags& flags) {
  if (flags.server.tls != nullptr || flags.plaintext_allowed) return nullptr;
  return [](const std::string& address) { return CheckPlaintext(address); };
}

}  // namespace apollo
