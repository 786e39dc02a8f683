#include "router/access/edge_identity.h"

#include <absl/strings/ascii.h>
#include <absl/strings/match.h>

#include <utility>

#include "common/strings.h"

namespace apollo {
namespace {

// Splits at a separator outside quotes; quotes and escapes stay.
std::vector<std::string> SplitUnquoted(std::string_view text, char separator) {
  std::vector<std::string> parts(1);
  bool quoted = false, escaped = false;
  for (const char c : text) {
    if (c == separator && !quoted) {
      parts.emplace_back();
      continue;
    }
    if (c == '"' && !escaped) quoted = !quoted;
    escaped = c == '\\' && !escaped;
    parts.back() += c;
  }
  return parts;
}

std::string Unquoted(std::string_view text) {
  if (text.size() < 2 || text.front() != '"' || text.back() != '"') {
    return std::string(text);
  }
  std::string out;
  text = text.substr(1, text.size() - 2);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) ++i;
    out += text[i];
  }
  return out;
}

}  // namespace

bool NamesCaller(const CallEvidence& evidence) {
  return !evidence.caller_san.empty() || !evidence.forwarded_client.empty();
}

absl::StatusOr<std::vector<std::string>> UrisFromEdge(
    const CallEvidence& evidence) {
  if (evidence.caller_san.size() + evidence.forwarded_client.size() != 1) {
    return absl::UnauthenticatedError(
        "the edge names a caller in more than one header; it must set either "
        "x-apollo-caller-san or x-forwarded-client-cert, once");
  }
  std::vector<std::string> uris;
  if (!evidence.caller_san.empty()) {
    uris = evidence.caller_san;
  } else {
    uris = UrisOfForwardedClient(evidence.forwarded_client.front());
  }
  if (uris.empty() || uris.front().empty()) {
    return absl::UnauthenticatedError(
        "the edge's header names no URI of its client's certificate");
  }
  return uris;
}

std::vector<std::string> UrisOfForwardedClient(std::string_view header) {
  std::vector<std::string> uris;
  const std::string last = SplitUnquoted(header, ',').back();
  for (const std::string& pair : SplitUnquoted(last, ';')) {
    const std::size_t equals = pair.find('=');
    if (equals == std::string::npos) continue;
    const absl::string_view key =
        absl::StripAsciiWhitespace(absl::string_view(pair).substr(0, equals));
    if (!absl::EqualsIgnoreCase(key, "uri")) continue;
    std::string value = Unquoted(ToStd(absl::StripAsciiWhitespace(
        absl::string_view(pair).substr(equals + 1))));
    if (!value.empty()) uris.push_back(std::move(value));
  }
  return uris;
}

}  // namespace apollo
