#include "tools/apollo/status_table.h"

#include <absl/strings/ascii.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <absl/strings/str_join.h>
#include <absl/strings/str_replace.h>
#include <absl/strings/strip.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "tools/apollo/utf8.h"

namespace apollo::client {
namespace {

using Row = std::vector<std::string>;

// Returns "dense worker" for PROCESS_ROLE_DENSE_WORKER. Unknown values stay
// numbers.
std::string Words(const std::string& name, const char* prefix, int value) {
  if (name.empty()) return absl::StrCat("value ", value);
  return absl::StrReplaceAll(
      absl::AsciiStrToLower(absl::StripPrefix(name, prefix)), {{"_", " "}});
}

// Returns "0-2,5" for 0, 1, 2 and 5, which are ascending.
std::string Ranges(const google::protobuf::RepeatedField<std::uint32_t>& all) {
  std::vector<std::string> ranges;
  for (int i = 0; i < all.size();) {
    int end = i + 1;
    while (end < all.size() && all[end] == all[end - 1] + 1) ++end;
    ranges.push_back(
        end - i > 2 ? absl::StrCat(all[i], "-", all[end - 1])
                    : absl::StrJoin(all.begin() + i, all.begin() + end, ","));
    i = end;
  }
  return absl::StrJoin(ranges, ",");
}

std::string OrDash(const std::string& text) {
  return text.empty() ? "-" : text;
}

Row RowOf(const v1::ProcessStatus& process, const std::string& server) {
  const bool router = process.role() == v1::PROCESS_ROLE_ROUTER;
  const bool expert = process.role() == v1::PROCESS_ROLE_EXPERT_WORKER;
  std::string experts = Ranges(process.experts());
  if (process.layer_experts_size() > 0) {
    absl::StrAppend(&experts, experts.empty() ? "" : " ", "by layer");
  }
  std::string cache;
  if (process.has_cache_use()) {
    cache = absl::StrFormat("%.0f%% used", 100 * process.cache_use());
  } else if (process.cache_tokens() > 0) {
    cache = absl::StrCat(process.cache_tokens(), " tokens");
  }
  constexpr std::size_t kShortHash = 12;
  return {Words(v1::ProcessRole_Name(process.role()), "PROCESS_ROLE_",
                process.role()),
          OrDash(process.name()),
          OrDash(router ? server : process.address()),
          Words(v1::ProcessState_Name(process.state()), "PROCESS_STATE_",
                process.state()),
          OrDash(process.model_hash().substr(0, kShortHash)),
          OrDash(process.version()),
          OrDash(experts),
          router ? "-" : absl::StrCat(process.running_sequences()),
          expert ? absl::StrCat(process.queued_rows()) : "-",
          OrDash(cache)};
}

}  // namespace

std::string StatusTable(const v1::GetStatusResponse& status,
                        const std::string& server) {
  std::vector<Row> rows = {{"role", "name", "address", "state", "model",
                            "version", "experts", "running", "queued",
                            "cache"}};
  for (const v1::ProcessStatus& process : status.processes()) {
    rows.push_back(RowOf(process, server));
  }
  std::vector<std::size_t> widths(rows[0].size());
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], row[i].size());
    }
  }
  std::string text;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    std::string line;
    for (std::size_t i = 0; i < rows[r].size(); ++i) {
      absl::StrAppendFormat(&line, "%-*s  ", static_cast<int>(widths[i]),
                            rows[r][i]);
    }
    absl::StrAppend(&text, absl::StripTrailingAsciiWhitespace(line), "\n");
    if (r == 0) continue;
    const std::string& reason =
        status.processes(static_cast<int>(r) - 1).reason();
    if (!reason.empty()) absl::StrAppend(&text, "    ", reason, "\n");
  }
  return ForTerminal(text);
}

bool AllReady(const v1::GetStatusResponse& status) {
  return std::all_of(status.processes().begin(), status.processes().end(),
                     [](const v1::ProcessStatus& process) {
                       return process.state() == v1::PROCESS_STATE_READY;
                     });
}

}  // namespace apollo::client
