#include "tools/simulate/stage_times.h"

#include <absl/strings/str_cat.h>

#include <cstddef>

#include "common/status_macros.h"
#include "tools/simulate/fields.h"

namespace apollo::simulate {
namespace {

void ReadRowTimes(Fields& fields, const char* key, RowTimes& times) {
  const Json* const json = fields.Get(key);
  if (json == nullptr) {
    fields.Fail(key, "is missing; it must be a list of [rows, seconds]");
    return;
  }
  std::vector<std::pair<double, double>> points;
  bool valid = json->is_array() && !json->empty();
  for (std::size_t i = 0; valid && i < json->size(); ++i) {
    const Json& point = (*json)[i];
    valid = point.is_array() && point.size() == 2 && point[0].is_number() &&
            point[1].is_number() && point[0] > 0 && point[1] >= 0 &&
            point[1] <= 1e6 && (i == 0 || point[0] > points.back().first);
    if (valid) points.emplace_back(point[0], point[1]);
  }
  if (!valid) {
    fields.Fail(key,
                "must be a list of [rows, seconds], such as [[1, 0.02], [64, "
                "0.11]], by rising rows above 0 and with seconds from 0");
    return;
  }
  times = RowTimes(std::move(points));
}

}  // namespace

Time RowTimes::Of(int rows) const {
  if (rows <= 0) return 0;
  std::size_t next = 0;
  while (next < points_.size() && points_[next].first < rows) ++next;
  if (next == 0 || points_.size() == 1) {
    return FromSeconds(points_.front().second);
  }
  if (next == points_.size()) --next;
  const auto& [from, at_from] = points_[next - 1];
  const auto& [to, at_to] = points_[next];
  const double slope = (at_to - at_from) / (to - from);
  const double seconds = at_from + slope * (rows - from);
  return FromSeconds(seconds > 0 ? seconds : 0);
}

absl::StatusOr<StageTimes> ReadStageTimes(const Json& json,
                                          const std::string& where) {
  Fields fields(json, where);
  StageTimes times;
  std::string text;  // What was measured; for people.
  fields.String("comment", text);
  fields.Integer("threads", 1, 1024, times.threads);
  ReadRowTimes(fields, "dense", times.dense);
  ReadRowTimes(fields, "attention", times.attention);
  ReadRowTimes(fields, "expert", times.expert);
  ReadRowTimes(fields, "head", times.head);
  RETURN_IF_ERROR(fields.Done());
  return times;
}

}  // namespace apollo::simulate
