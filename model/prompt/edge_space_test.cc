#include "model/prompt/edge_space.h"

#include <gtest/gtest.h>

namespace apollo {
namespace {

constexpr char kWide[] = "\u3000";

TEST(EdgeSpaceTest, LeavesWhatMinjaKnows) {
  EdgeSpace edges;
  for (const char* text : {"", " \n", "a", " a\u3000b \t", "\n\n\r"}) {
    EXPECT_EQ(edges.Mark(text), text);
    EXPECT_EQ(edges.Unmark(text), text);
  }
}

TEST(EdgeSpaceTest, OtherWhiteSpaceIsStrippedWithItsMark) {
  EdgeSpace edges;
  const std::string text =
      std::string("\n ") + kWide + "\t\u00A0 x y\x0B \u2028\n";
  const std::string marked = edges.Mark(text);
  EXPECT_EQ(marked.find(kWide), marked.npos);
  const std::size_t begin = marked.find_first_not_of(" \t\n\r");
  const std::size_t end = marked.find_last_not_of(" \t\n\r") + 1;
  EXPECT_EQ(marked.substr(begin, end - begin), "x y");
  EXPECT_EQ(edges.Unmark("<" + marked + ">"), "<" + text + ">");
  EXPECT_EQ(edges.Unmark(marked.substr(begin)), "x y\x0B \u2028\n");
  // What strip("\n") leaves.
  EXPECT_EQ(edges.Unmark(marked.substr(1, marked.size() - 2)),
            text.substr(1, text.size() - 2));
}

TEST(EdgeSpaceTest, EachRunHasItsMark) {
  EdgeSpace edges;
  const std::string first = edges.Mark("\u3000");
  const std::string second = edges.Mark("\u00A0a\u2003");
  EXPECT_EQ(edges.Unmark(second + first + second),
            "\u00A0a\u2003\u3000\u00A0a\u2003");
}

}  // namespace
}  // namespace apollo
