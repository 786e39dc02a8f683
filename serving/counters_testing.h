#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <variant>

#include "serving/counters.h"

namespace apollo {

// Expects a metrics table to be complete: each member of the counters is in
// exactly one row, and rows of one name are adjacent, with the same help and
// type and different values of the same label.
//
// The members of a struct cannot be listed. Instead, the members in the rows
// must cover the struct from beginning to end without gaps and overlaps. All
// kinds of counters have the same alignment, so there is no padding.
template <typename Counters, std::size_t kRows>
void ExpectWholeTable(const MetricRow<Counters> (&table)[kRows]) {
  static_assert(alignof(Count) == alignof(CountTable));
  static_assert(alignof(Level) == alignof(CountTable));
  static_assert(alignof(Fraction) == alignof(CountTable));
  static_assert(alignof(Distribution) == alignof(CountTable));
  static_assert(alignof(LevelTable) == alignof(CountTable));
  const Counters counters;
  const auto place = [&counters](const void* member) {
    return static_cast<std::size_t>(static_cast<const char*>(member) -
                                    reinterpret_cast<const char*>(&counters));
  };
  std::map<std::size_t, std::pair<std::size_t, std::string>> places;
  std::set<std::string> names;
  std::set<std::pair<std::string, std::string>> series;  // Name, value.
  for (std::size_t i = 0; i < kRows; ++i) {
    const MetricRow<Counters>& row = table[i];
    SCOPED_TRACE(row.name);
    std::visit(
        [&](const auto member) {
          const auto& number = counters.*member;
          EXPECT_TRUE(places
                          .try_emplace(place(&number), sizeof(number),
                                       std::string(row.name) + " " + row.value)
                          .second)
              << "another row reads the same member";
        },
        row.member);
    EXPECT_EQ(std::string(row.name).rfind("apollo_", 0), 0u);
    EXPECT_STRNE(row.help, "");
    EXPECT_TRUE(series.insert({row.name, row.value}).second)
        << "two rows of the same name and label value";
    EXPECT_EQ(*row.label == '\0', *row.value == '\0');
    if (i == 0 || std::string(table[i - 1].name) != row.name) {
      EXPECT_TRUE(names.insert(row.name).second)
          << "rows of one name are not adjacent";
      continue;
    }
    EXPECT_STREQ(table[i - 1].help, row.help);
    EXPECT_STREQ(table[i - 1].label, row.label);
    EXPECT_EQ(table[i - 1].member.index(), row.member.index());
  }
  std::size_t end = 0;
  for (const auto& [begin, member] : places) {
    EXPECT_EQ(begin, end) << "no row reads the member before that of "
                          << member.second;
    end = begin + member.first;
  }
  EXPECT_EQ(end, sizeof(Counters)) << "no row reads the last member";
}

}  // namespace apollo
