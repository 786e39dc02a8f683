#include "router/audit/audit_entry.h"

#include "common/json.h"

namespace apollo {
namespace {

OrderedJson NewLine(const char* event, absl::Time now) {
  OrderedJson line;
  line["time"] =
      absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", now, absl::UTCTimeZone());
  line["event"] = event;
  return line;
}

// Bytes outside of ASCII are escaped, so that a line stays one line whatever
// reads it.
std::string Text(const OrderedJson& line) {
  return line.dump(-1, ' ', true, OrderedJson::error_handler_t::replace) + "\n";
}

}  // namespace

std::string AuditLine(const AuditEntry& entry, absl::Time now) {
  const bool ended = entry.event == AuditEntry::Event::kEnded;
  OrderedJson line = NewLine(ended ? "request_ended" : "request_started", now);
  line["request_id"] = entry.request_id;
  line["caller"] = entry.caller.name;
  line["certificate_sha256"] = entry.caller.certificate_sha256;
  line["method"] = entry.method;
  line["language"] = entry.language;
  line["family"] = entry.family;
  line["prompt_tokens"] = entry.prompt_tokens;
  line["resumed"] = entry.resumed;
  line["model_hash"] = entry.model_hash;
  if (ended) {
    line["code"] = entry.code;
    line["answer_tokens"] = entry.answer_tokens;
    line["finish_reasons"] = entry.finish_reasons;
    line["seconds"] = absl::ToDoubleSeconds(entry.duration);
  }
  return Text(line);
}

std::string AuditOpenedLine(std::size_t dropped, absl::Time now) {
  OrderedJson line = NewLine("log_opened", now);
  line["dropped_bytes"] = dropped;
  return Text(line);
}

std::string AuditResumedLine(std::int64_t refused, std::int64_t lost,
                             absl::Time now) {
  OrderedJson line = NewLine("log_resumed", now);
  line["refused_calls"] = refused;
  line["lost_entries"] = lost;
  return Text(line);
}

std::string AuditRefusedLine(const RefusedCalls::Summary& summary,
                             absl::Time now) {
  OrderedJson line = NewLine("calls_refused", now);
  line["caller"] = summary.caller;
  line["code"] = summary.code;
  line["calls"] = summary.calls;
  line["seconds"] = absl::ToDoubleSeconds(summary.duration);
  return Text(line);
}

}  // namespace apollo
