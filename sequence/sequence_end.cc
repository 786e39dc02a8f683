#include "sequence/sequence_end.h"

#include <absl/strings/cord.h>
#include <absl/strings/string_view.h>

#include <string>

namespace apollo {
namespace {

constexpr char kPayload[] = "apollo.sequence_end";

}  // namespace

std::string_view NameOf(SequenceEnd end) {
  switch (end) {
    case SequenceEnd::kAnswered:
      return "answered";
    case SequenceEnd::kLost:
      return "lost";
    case SequenceEnd::kMoved:
      return "moved";
    case SequenceEnd::kSilent:
      return "silent";
    case SequenceEnd::kUndecided:
      return "undecided";
  }
  return "";
}

std::optional<SequenceEnd> SequenceEndNamed(std::string_view name) {
  for (const SequenceEnd end :
       {SequenceEnd::kAnswered, SequenceEnd::kLost, SequenceEnd::kMoved,
        SequenceEnd::kSilent, SequenceEnd::kUndecided}) {
    if (NameOf(end) == name) return end;
  }
  return std::nullopt;
}

absl::Status WithEnd(absl::Status status, SequenceEnd end) {
  if (end == SequenceEnd::kAnswered) {
    status.ErasePayload(kPayload);
    return status;
  }
  const std::string_view name = NameOf(end);
  status.SetPayload(kPayload,
                    absl::Cord(absl::string_view(name.data(), name.size())));
  return status;
}

SequenceEnd EndOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kPayload);
  if (!payload) return SequenceEnd::kAnswered;
  return SequenceEndNamed(std::string(*payload))
      .value_or(SequenceEnd::kAnswered);
}

}  // namespace apollo
