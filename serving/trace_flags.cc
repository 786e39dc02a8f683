#include "serving/trace_flags.h"

#include <absl/flags/flag.h>
#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <utility>

#include "common/status_macros.h"
#include "serving/host_port.h"
#include "serving/otlp_tracer.h"
#include "serving/plaintext.h"

ABSL_FLAG(std::string, trace_endpoint, "",
          "Collector to which traces are sent, by OTLP over gRPC, as "
          "host:port; a collector usually takes them at port 4317. Traces have "
          "times, sizes, names of processes and request ids, never text or "
          "tokens. Default: no traces.");
ABSL_FLAG(std::string, trace_ca, "",
          "File with the certificates, in PEM form, of the authorities that "
          "sign that of the collector: then traces are sent by TLS. Default: "
          "plaintext, to a collector on this machine only, unless "
          "--allow_plaintext.");

namespace apollo {
namespace {

absl::Status CheckEndpoint(const std::string& endpoint) {
  const std::optional<HostPort> parsed = ParseHostPort(endpoint);
  if (parsed && !parsed->host.empty() && parsed->port != 0) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("--trace_endpoint is \"", endpoint,
                   "\"; it must be host:port, such as 127.0.0.1:4317"));
}

absl::StatusOr<std::string> ReadAuthorities(const std::string& path) {
  if (path.empty()) return "";
  std::ifstream file(path, std::ios::binary);
  std::string text(std::istreambuf_iterator<char>(file), {});
  if (file && text.find("-----BEGIN CERTIFICATE-----") != std::string::npos) {
    return text;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("--trace_ca is \"", path,
                   "\"; it must be a file with certificates in PEM form"));
}

}  // namespace

absl::StatusOr<TraceSetup> ReadTraceFlags(const std::string& service,
                                          const ProcessFlags& process,
                                          double sample) {
  if (!(sample >= 0 && sample <= 1)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--trace_sample is ", sample, "; it must be from 0 to 1"));
  }
  OtlpTracer::Options options;
  options.endpoint = absl::GetFlag(FLAGS_trace_endpoint);
  const std::string authorities = absl::GetFlag(FLAGS_trace_ca);
  if (options.endpoint.empty()) {
    if (authorities.empty()) return TraceSetup();
    return absl::InvalidArgumentError(
        "--trace_ca is given without --trace_endpoint, which names the "
        "collector");
  }
  RETURN_IF_ERROR(CheckEndpoint(options.endpoint));
  ASSIGN_OR_RETURN(options.authorities, ReadAuthorities(authorities));
  if (options.authorities.empty() && !process.plaintext_allowed &&
      !IsLocalAddress(options.endpoint)) {
    return absl::FailedPreconditionError(absl::StrCat(
        "--trace_endpoint: ", options.endpoint,
        " is not on this machine alone (127.0.0.1, [::1]), and plaintext could "
        "be read on the way; give --trace_ca, or --allow_plaintext for a "
        "network that nobody else can read"));
  }
  options.sample = sample;
  options.service = service;
  options.process = process.name;
  auto tracer = std::make_shared<OtlpTracer>(std::move(options));
  auto metrics = tracer->metrics();
  return TraceSetup{std::move(tracer), std::move(metrics)};
}

}  // namespace apollo
