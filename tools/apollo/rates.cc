#include "tools/apollo/rates.h"

#include <cstdint>

namespace apollo::client {

Rates::Key Rates::KeyOf(const v1::ProcessStatus& process) {
  return {process.role(), process.address(), process.name()};
}

Rates::Rates(const v1::GetStatusResponse& before,
             const v1::GetStatusResponse& after, double seconds) {
  std::map<Key, std::uint64_t> earlier;
  for (const v1::ProcessStatus& process : before.processes()) {
    if (process.state() == v1::PROCESS_STATE_UNREACHABLE) continue;
    earlier[KeyOf(process)] = process.rows_computed();
  }
  for (const v1::ProcessStatus& process : after.processes()) {
    const auto then = earlier.find(KeyOf(process));
    const std::uint64_t rows = process.rows_computed();
    // 0 is also that of an older version, which does not count.
    if (then == earlier.end() || rows == 0 || rows < then->second ||
        process.state() == v1::PROCESS_STATE_UNREACHABLE) {
      continue;
    }
    rates_[then->first] = static_cast<double>(rows - then->second) / seconds;
  }
}

std::optional<double> Rates::Of(const v1::ProcessStatus& process) const {
  const auto found = rates_.find(KeyOf(process));
  if (found == rates_.end()) return std::nullopt;
  return found->second;
}

}  // namespace apollo::client
