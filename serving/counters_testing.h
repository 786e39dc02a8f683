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

// Expects a table of metrics to be whole: each member of the counters stands in
// just one row, and rows of one name stand together, with the same help and
// type and different values of the same label.
//
// Members of a struct have no list, but their places do: those of the rows must
// follow each other without a gap or an overlap from the struct's beginning to
// its end. All kinds of counters are aligned alike, so there is no padding.
template <typename Counters, std::size_t kRows>
void ExpectWholeTable(const MetricRow<Counters> (&table)[kRows]) {
  static_assert(alignof(Count) == alignof(CountTable));
  static_assert(alignof(Level) == alignof(CountTable));
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
        << "two rows of the same name and label";
    EXPECT_EQ(*row.label == '\0', *row.value == '\0');
    if (i == 0 || std::string(table[i - 1].name) != row.name) {
      EXPECT_TRUE(names.insert(row.name).second)
          << "rows of one name do not stand together";
      continue;
    }
    EXPECT_STREQ(table[i - 1].help, row.help);
    EXPECT_STREQ(table[i - 1].label, row.label);
    EXPECT_EQ(table[i - 1].member.index(), row.member.index());
  }
  std::size_t end = 0;
  for (const auto& [begin, member] : places) {
    EXPECT_EQ(begin, end) << "no row reads the member before the one of "
                          << member.second;
    end = begin + member.first;
  }
  EXPECT_EQ(end, sizeof(Counters)) << "no row reads the last member";
}

}  // namespace apollo
