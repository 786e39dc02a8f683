#include "router/router_flags.h"

#include <absl/flags/flag.h>
#include <absl/strings/str_cat.h>

#include <cstdint>
#include <string>
#include <vector>

#include "common/status_macros.h"

ABSL_FLAG(std::string, default_routing, "topk",
          "Routing of requests that do not choose one: topk or hybrid.");
ABSL_FLAG(
    std::string, language_model, "",
    "Language classifier: a fastText model file, or \"cld2\". Default: the "
    "built-in one.");
ABSL_FLAG(std::string, chat_template, "",
          "Format of chats: a file with a Jinja template, or \"apollo\" or "
          "\"chatml\". Default: prompt_format of config.json; if that is "
          "missing, apollo for a model with experts, else the model's own "
          "template; if there is none, apollo.");
ABSL_FLAG(
    double, language_threshold,
    apollo::RouterModel::Options().language_threshold,
    "Least confidence, from 0 to 1, in the family of a detected language. "
    "Below it, a request has no family, and hybrid routing falls back to "
    "top-k.");
ABSL_FLAG(
    std::vector<std::string>, expected_languages, {},
    "Languages in which most requests are expected, such as de,fr,tr. The "
    "detector then needs more proof of other languages. Default: all "
    "languages are equally likely. Not with --language_model=cld2.");
ABSL_FLAG(int, max_calls, apollo::CallLimits().max_calls,
          "Maximum number of concurrent calls, not counting GetRouting; more "
          "are refused with RESOURCE_EXHAUSTED.");
ABSL_FLAG(std::int64_t, call_output_bytes, apollo::CallLimits().output_bytes,
          "Unsent output of one call, in bytes, at which its sequences pause "
          "until no more than half of that is left.");
ABSL_FLAG(absl::Duration, stalled_client_timeout,
          apollo::CallLimits().stalled_client_timeout,
          "Time without a read by the client after which a call that is paused "
          "or has unsent output at its end fails with RESOURCE_EXHAUSTED.");
ABSL_FLAG(absl::Duration, silent_client_timeout,
          apollo::RouterOptions().silent_client_timeout,
          "Time after which a client that has given no sign of life, not even "
          "answers to HTTP/2 pings, is considered gone, and its calls end; "
          "from 1s to 24h.");
ABSL_FLAG(int, max_streams_per_connection,
          apollo::RouterOptions().max_streams_per_connection,
          "Maximum number of concurrent calls on one connection; clients make "
          "further ones wait, or open another connection.");
ABSL_FLAG(
    absl::Duration, max_connection_age,
    apollo::RouterOptions().max_connection_age,
    "Age of a connection at which its client is told to open another one; "
    "calls on the old one go on for as long again. Within 10%. From 1s, "
    "or inf for no limit.");
ABSL_FLAG(int, max_metadata_bytes, apollo::RouterOptions().max_metadata_bytes,
          "Maximum size of a call's gRPC metadata in bytes; more is refused "
          "with RESOURCE_EXHAUSTED.");
ABSL_FLAG(std::string, audit_log, "",
          "File for the audit log: a JSON line when a request starts and one "
          "when it ends, without any text. Requests whose start cannot be "
          "written are refused with UNAVAILABLE. Each router needs a file of "
          "its own. Default: no audit log.");
ABSL_FLAG(std::int64_t, audit_max_megabytes,
          apollo::AuditFile::Options().max_megabytes,
          "Size of the file of --audit_log, in MB of 2^20 bytes, at which it "
          "becomes FILE.1, FILE.1 becomes FILE.2, and so on.");
ABSL_FLAG(int, audit_files, apollo::AuditFile::Options().files,
          "Number of files of --audit_log that are kept, with the newest one; "
          "older ones are removed.");

ABSL_FLAG(std::string, tls_client_auth, "require",
          "With --tls_cert: \"require\" a certificate of every client, or "
          "only \"request\" it, for clients that prove themselves otherwise.");

ABSL_FLAG(double, trace_sample, apollo::RouterOptions().trace_sample,
          "With --trace_endpoint: the share of requests, from 0 to 1, that are "
          "traced if their client sends no traceparent. Others are traced if "
          "their client says so in it.");
ABSL_FLAG(std::string, policy, "",
          "File with the policy in JSON: who may call which methods, and how "
          "much (docs/access.md). Read again when it changes; a wrong version "
          "is logged, and the last one stays. Default: everybody may call "
          "everything.");
ABSL_FLAG(std::string, jwt_keys, "",
          "File with a JSON Web Key Set: the keys that sign the bearer tokens "
          "of callers. Read again when it changes. Needs --policy. Default: no "
          "tokens.");

namespace apollo {
namespace {

absl::StatusOr<bool> ReadClientAuth() {
  const std::string value = absl::GetFlag(FLAGS_tls_client_auth);
  if (value == "require" || value == "request") return value == "require";
  return absl::InvalidArgumentError(absl::StrCat(
      "--tls_client_auth is \"", value, "\"; it must be require or request"));
}

}  // namespace

absl::StatusOr<RouterOptions> ReadRouterFlags(const std::string& families) {
  RouterOptions options;
  options.model.families_file = families;
  options.model.default_routing = absl::GetFlag(FLAGS_default_routing);
  options.model.language_model = absl::GetFlag(FLAGS_language_model);
  options.model.chat_template = absl::GetFlag(FLAGS_chat_template);
  options.model.language_threshold = absl::GetFlag(FLAGS_language_threshold);
  options.model.expected_languages = absl::GetFlag(FLAGS_expected_languages);
  options.calls.max_calls = absl::GetFlag(FLAGS_max_calls);
  options.calls.output_bytes = absl::GetFlag(FLAGS_call_output_bytes);
  options.calls.stalled_client_timeout =
      absl::GetFlag(FLAGS_stalled_client_timeout);
  options.silent_client_timeout = absl::GetFlag(FLAGS_silent_client_timeout);
  options.max_streams_per_connection =
      absl::GetFlag(FLAGS_max_streams_per_connection);
  options.max_connection_age = absl::GetFlag(FLAGS_max_connection_age);
  options.max_metadata_bytes = absl::GetFlag(FLAGS_max_metadata_bytes);
  options.audit.path = absl::GetFlag(FLAGS_audit_log);
  options.audit.max_megabytes = absl::GetFlag(FLAGS_audit_max_megabytes);
  options.audit.files = absl::GetFlag(FLAGS_audit_files);
  ASSIGN_OR_RETURN(options.clients_need_certificate, ReadClientAuth());
  options.trace_sample = absl::GetFlag(FLAGS_trace_sample);
  options.access.policy_file = absl::GetFlag(FLAGS_policy);
  options.access.jwt_keys_file = absl::GetFlag(FLAGS_jwt_keys);
  RETURN_IF_ERROR(CheckRouterOptions(options));
  return options;
}

}  // namespace apollo
