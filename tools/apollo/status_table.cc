#include "tools/apollo/status_table.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <absl/strings/str_join.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <functional>
#include <tuple>
#include <utility>
#include <vector>

#include "tools/apollo/aligned_rows.h"
#include "tools/apollo/merged_status.h"
#include "tools/apollo/time_span.h"
#include "tools/apollo/utf8.h"

namespace apollo::client {
namespace {

using Process = v1::ProcessStatus;

constexpr std::array<std::pair<std::string_view, StatusOrder>, 5> kOrders = {{
    {"role", StatusOrder::kRole},
    {"name", StatusOrder::kName},
    {"load", StatusOrder::kLoad},
    {"rate", StatusOrder::kRate},
    {"cache", StatusOrder::kCache},
}};

struct Column {
  const char* title;
  std::function<std::string(const Process&)> cell;
};

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

std::string ExpertsOf(const Process& process) {
  std::string experts = Ranges(process.experts());
  if (process.layer_experts_size() > 0) {
    absl::StrAppend(&experts, experts.empty() ? "" : " ", "by layer");
  }
  return OrDash(experts);
}

std::string CacheOf(const Process& process) {
  const std::string tokens =
      process.cache_tokens() == 0
          ? ""
          : absl::StrCat(process.cache_tokens(), " tokens");
  if (!process.has_cache_use()) return OrDash(tokens);
  const std::string use = absl::StrFormat("%.0f%%", 100 * process.cache_use());
  return tokens.empty() ? use : absl::StrCat(use, " of ", tokens);
}

std::string ExpiryOf(const Process& process, std::int64_t now) {
  const auto expires = static_cast<std::int64_t>(process.certificate_expires());
  if (expires == 0) return "-";
  return expires <= now ? "expired" : SpanText(expires - now);
}

std::string RateOf(const Process& process, const Rates& rates) {
  const std::optional<double> rate = rates.Of(process);
  return rate ? absl::StrFormat("%.1f", *rate) : "-";
}

std::vector<Column> ColumnsOf(const v1::GetStatusResponse& status,
                              const StatusView& view) {
  constexpr std::size_t kShortHash = 12;
  std::vector<Column> columns = {
      {"role", [](const Process& p) { return RoleName(p.role()); }},
      {"name", [](const Process& p) { return OrDash(p.name()); }},
      {"address", [](const Process& p) { return OrDash(p.address()); }},
      {"state", [](const Process& p) { return StateName(p.state()); }}};
  if (view.identity) {
    columns.push_back({"model", [](const Process& p) {
                         return OrDash(p.model_hash().substr(0, kShortHash));
                       }});
    columns.push_back(
        {"version", [](const Process& p) { return OrDash(p.version()); }});
  }
  columns.push_back({"experts", ExpertsOf});
  columns.push_back({"running", [](const Process& p) {
                       return absl::StrCat(p.running_sequences());
                     }});
  columns.push_back({"waiting", [](const Process& p) {
                       return p.role() == v1::PROCESS_ROLE_DENSE_WORKER
                                  ? absl::StrCat(p.waiting_sequences())
                                  : "-";
                     }});
  columns.push_back({"queued", [](const Process& p) {
                       return p.role() == v1::PROCESS_ROLE_ROUTER
                                  ? "-"
                                  : absl::StrCat(p.queued_rows());
                     }});
  columns.push_back({"cache", CacheOf});
  if (view.rates != nullptr) {
    columns.push_back({"per second", [rates = view.rates](const Process& p) {
                         return RateOf(p, *rates);
                       }});
  }
  if (std::any_of(
          status.processes().begin(), status.processes().end(),
          [](const Process& p) { return p.certificate_expires() > 0; })) {
    columns.push_back({"certificate", [now = view.now](const Process& p) {
                         return ExpiryOf(p, now);
                       }});
  }
  return columns;
}

// Returns the processes in the order of the view; equal ones as they were.
std::vector<const Process*> Ordered(const v1::GetStatusResponse& status,
                                    const StatusView& view) {
  std::vector<const Process*> all;
  for (const Process& process : status.processes()) all.push_back(&process);
  const auto by = [&all](const auto& more) {
    std::stable_sort(all.begin(), all.end(),
                     [&more](const Process* a, const Process* b) {
                       return more(*a) > more(*b);
                     });
  };
  switch (view.order) {
    case StatusOrder::kRole:
      break;
    case StatusOrder::kName:
      std::stable_sort(all.begin(), all.end(),
                       [](const Process* a, const Process* b) {
                         return a->name() < b->name();
                       });
      break;
    case StatusOrder::kLoad:
      by([](const Process& p) {
        return std::tuple(p.running_sequences() + p.waiting_sequences(),
                          p.queued_rows());
      });
      break;
    case StatusOrder::kRate:
      by([&view](const Process& p) {
        return view.rates == nullptr ? -1.0 : view.rates->Of(p).value_or(-1);
      });
      break;
    case StatusOrder::kCache:
      by([](const Process& p) {
        return p.has_cache_use() ? p.cache_use() : -1.0;
      });
      break;
  }
  return all;
}

std::string FamilyLine(const v1::GetStatusResponse& status) {
  if (status.families().empty()) return "";
  std::vector<std::string> names;
  for (const v1::FamilyInfo& family : status.families()) {
    names.push_back(absl::StrCat(family.expert(), " ", family.name()));
  }
  return absl::StrCat("families of the experts: ", absl::StrJoin(names, ", "),
                      "\n");
}

std::string LeftOutLine(const v1::GetStatusResponse& status) {
  if (status.processes_left_out() == 0) return "";
  return absl::StrCat(status.processes_left_out(),
                      " more processes: the answer would be too large\n");
}

std::string CallerTable(const v1::GetStatusResponse& status) {
  if (status.callers().empty()) return "";
  std::vector<TableRow> rows = {{"caller", "streams", "calls", "failed",
                                 "prompt tokens", "generated tokens"}};
  for (const v1::CallerStatus& caller : status.callers()) {
    rows.push_back({caller.name(), absl::StrCat(caller.streams()),
                    absl::StrCat(caller.calls()),
                    absl::StrCat(caller.calls_failed()),
                    absl::StrCat(caller.prompt_tokens()),
                    absl::StrCat(caller.generated_tokens())});
  }
  return absl::StrCat(absl::StrJoin(AlignedRows(rows), "\n"), "\n");
}

}  // namespace

std::optional<StatusOrder> StatusOrderOf(std::string_view name) {
  for (const auto& [known, order] : kOrders) {
    if (known == name) return order;
  }
  return std::nullopt;
}

std::string_view NameOf(StatusOrder order) {
  return kOrders[static_cast<std::size_t>(order)].first;
}

std::string StatusTable(const v1::GetStatusResponse& status,
                        const StatusView& view) {
  const std::vector<Column> columns = ColumnsOf(status, view);
  const std::vector<const Process*> processes = Ordered(status, view);
  std::vector<TableRow> rows(1);
  for (const Column& column : columns) rows[0].emplace_back(column.title);
  for (const Process* process : processes) {
    TableRow& row = rows.emplace_back();
    for (const Column& column : columns) row.push_back(column.cell(*process));
  }
  const std::vector<std::string> lines = AlignedRows(rows);
  std::string text = absl::StrCat(lines[0], "\n");
  for (std::size_t i = 0; i < processes.size(); ++i) {
    absl::StrAppend(&text, lines[i + 1], "\n");
    const std::string& reason = processes[i]->reason();
    if (!reason.empty()) absl::StrAppend(&text, "    ", reason, "\n");
  }
  absl::StrAppend(&text, LeftOutLine(status), FamilyLine(status),
                  CallerTable(status));
  return ForTerminal(text);
}

bool AllReady(const v1::GetStatusResponse& status) {
  return status.processes_left_out() == 0 &&
         std::all_of(status.processes().begin(), status.processes().end(),
                     [](const Process& process) {
                       return process.state() == v1::PROCESS_STATE_READY;
                     });
}

}  // namespace apollo::client
