#include "expert_worker/placement_file.h"

#include <absl/strings/ascii.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>

#include <set>
#include <utility>

#include "common/log.h"
#include "common/mapped_file.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "model/config/expert_list.h"

namespace apollo {
namespace {

constexpr std::size_t kMaxFileBytes = 1 << 20;

// Adds one item of a line: experts of all layers, or "LAYER=EXPERTS".
absl::Status AddItem(absl::string_view item, const SparseShape& shape,
                     std::set<LayerExpert>& each) {
  int first = shape.first_layer;
  int end = shape.end_layer;
  const std::size_t equals = item.find('=');
  absl::string_view list = item;
  if (equals != absl::string_view::npos) {
    const absl::string_view layer = item.substr(0, equals);
    list = item.substr(equals + 1);
    if (!absl::SimpleAtoi(layer, &first) || first < shape.first_layer ||
        first >= shape.end_layer) {
      return absl::InvalidArgumentError(
          absl::StrCat("\"", layer, "\" is no sparse layer; they are ",
                       shape.first_layer, " to ", shape.end_layer - 1));
    }
    end = first + 1;
  }
  ASSIGN_OR_RETURN(
      const std::set<int> experts,
      ParseExperts(ToStd(list), shape.num_experts, /*subject=*/"the worker"));
  for (int layer = first; layer < end; ++layer) {
    for (const int expert : experts) each.insert({layer, expert});
  }
  return absl::OkStatus();
}

absl::Status AddLine(absl::string_view line, const SparseShape& shape,
                     Placement& placement) {
  const std::size_t colon = line.rfind(':');
  if (colon == absl::string_view::npos) {
    return absl::InvalidArgumentError(
        "no colon; a line is a worker's name, a colon and its experts");
  }
  const std::string name(absl::StripAsciiWhitespace(line.substr(0, colon)));
  if (name.empty()) {
    return absl::InvalidArgumentError("no worker's name before the colon");
  }
  std::set<LayerExpert> each;
  for (const absl::string_view item :
       absl::StrSplit(line.substr(colon + 1), absl::ByAnyChar(" \t"),
                      absl::SkipWhitespace())) {
    RETURN_IF_ERROR(AddItem(item, shape, each));
  }
  if (!placement
           .emplace(name,
                    LayerExperts::Of(each, shape.first_layer, shape.end_layer))
           .second) {
    return absl::InvalidArgumentError(
        absl::StrCat("worker \"", name, "\" has a line already"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Placement> ParsePlacement(std::string_view text,
                                         std::string_view file,
                                         const SparseShape& shape) {
  Placement placement;
  int number = 0;
  for (absl::string_view line : absl::StrSplit(ToAbsl(text), '\n')) {
    ++number;
    line = absl::StripAsciiWhitespace(line);
    if (line.empty() || line[0] == '#') continue;
    const absl::Status status = AddLine(line, shape, placement);
    if (status.ok()) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(ToAbsl(file), ":", number, ": ", status.message()));
  }
  return placement;
}

absl::StatusOr<Placement> ReadPlacement(const std::string& file,
                                        const SparseShape& shape) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(file, kMaxFileBytes));
  if (text.empty()) return absl::AbortedError("the file is being written");
  return ParsePlacement(text, file, shape);
}

PlacementWatch::PlacementWatch(std::string file, const SparseShape& shape,
                               Listener listener)
    : file_(std::move(file)), shape_(shape), listener_(std::move(listener)) {}

void PlacementWatch::Start() {
  ticker_.emplace(kInterval, [this] { Refresh(); });
}

void PlacementWatch::Refresh() { Read(/*at_once=*/false).IgnoreError(); }

absl::Status PlacementWatch::ReadNow() { return Read(/*at_once=*/true); }

absl::Status PlacementWatch::Read(bool at_once) {
  MutexLock lock(reading_);
  absl::StatusOr<std::string> text = ReadFile(file_, kMaxFileBytes);
  if (!text.ok()) {
    Report(text.status());
    return text.status();
  }
  const bool settled = at_once || *text == last_text_;
  last_text_ = *std::move(text);
  if (last_text_.empty() || !settled) {
    return absl::AbortedError(absl::StrCat(file_, " is being written"));
  }
  const absl::StatusOr<Placement> read =
      ParsePlacement(last_text_, file_, shape_);
  Report(read.status());
  if (!read.ok() || last_ == *read) return read.status();
  last_ = *read;
  listener_(*read);
  return absl::OkStatus();
}

void PlacementWatch::Report(const absl::Status& status) {
  if (status == last_status_) return;
  last_status_ = status;
  if (status.ok()) {
    LogInfo("placement_file_recovered", {{"file", file_}});
    return;
  }
  LogError("placement_file_rejected",
           {{"file", file_}, {"reason", std::string(status.message())}});
}

}  // namespace apollo
