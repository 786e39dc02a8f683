#include "tools/apollo/line_editor.h"

#include <gtest/gtest.h>
#include <pty.h>
#include <termios.h>
#include <unistd.h>

#include <thread>

namespace apollo::client {
namespace {

using Result = LineReader::Result;

// An editor at a pseudo-terminal, whose keys are typed by the test.
class LineEditorTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(setenv("TERM", "vt100", 1), 0);
    ASSERT_EQ(setenv("LC_ALL", "C", 1), 0);  // Not UTF-8.
    winsize size{.ws_row = 24, .ws_col = 200, .ws_xpixel = 0, .ws_ypixel = 0};
    ASSERT_EQ(openpty(&keys_, &terminal_, nullptr, nullptr, &size), 0);
    in_ = fdopen(terminal_, "r");
    out_ = fdopen(dup(terminal_), "w");
    editor_ = LineEditor::Make(in_, out_, {"/reset", "/retry", "/quit"});
    ASSERT_NE(editor_, nullptr);
    // The editor would wait for room in the terminal's buffer.
    drain_ = std::thread([this] {
      char buffer[256];
      while (read(keys_, buffer, sizeof buffer) > 0) {
      }
    });
  }

  void TearDown() override {
    editor_.reset();
    if (in_ != nullptr) fclose(in_);
    if (out_ != nullptr) fclose(out_);
    if (drain_.joinable()) drain_.join();  // read() fails: no terminal is open.
    close(keys_);
  }

  // Types the keys once the editor reads keys, and returns the line that they
  // give: before, the terminal itself would edit the line.
  std::pair<Result, std::string> Type(const std::string& keys) {
    std::thread user([this, &keys] {
      termios settings;
      do {
        std::this_thread::yield();
        ASSERT_EQ(tcgetattr(keys_, &settings), 0);
      } while ((settings.c_lflag & ICANON) != 0);
      EXPECT_EQ(write(keys_, keys.data(), keys.size()),
                static_cast<ssize_t>(keys.size()));
    });
    std::string line;
    const Result result = editor_->Read(line);
    user.join();
    return {result, line};
  }

  int keys_ = -1;
  int terminal_ = -1;
  std::FILE* in_ = nullptr;
  std::FILE* out_ = nullptr;
  std::unique_ptr<LineEditor> editor_;
  std::thread drain_;
};

using Line = std::pair<Result, std::string>;

TEST_F(LineEditorTest, KeysEditTheLine) {
  EXPECT_EQ(Type("abd\x02"
                 "c\n"),  // Ctrl-B goes left.
            Line(Result::kLine, "abcd"));
  EXPECT_EQ(Type("word\x15short\n"), Line(Result::kLine, "short"));  // Ctrl-U
  EXPECT_EQ(Type("\n"), Line(Result::kLine, ""));
}

TEST_F(LineEditorTest, TextIsUtf8InAnyLocale) {
  EXPECT_EQ(Type("¿Qué es la fièvre? 发烧\n"),
            Line(Result::kLine, "¿Qué es la fièvre? 发烧"));
  // Ctrl-H deletes a character, not a byte.
  EXPECT_EQ(Type("né\x08o\n"), Line(Result::kLine, "no"));
}

TEST_F(LineEditorTest, ArrowsBringBackEarlierLines) {
  Type("first\n");
  Type("second\n");
  EXPECT_EQ(Type("\x1b[A\x1b[A!\n"), Line(Result::kLine, "first!"));
  EXPECT_EQ(Type("\x10\n"), Line(Result::kLine, "first!"));  // Ctrl-P
}

TEST_F(LineEditorTest, CtrlCDropsTheLine) {
  EXPECT_EQ(Type("half\x03").first, Result::kDropped);
  EXPECT_EQ(Type("whole\n"), Line(Result::kLine, "whole"));
}

TEST_F(LineEditorTest, CtrlDEnds) {
  EXPECT_EQ(Type("\x04").first, Result::kEnd);
}

TEST_F(LineEditorTest, TabCompletesAtTheBeginning) {
  EXPECT_EQ(Type("/q\t\n"), Line(Result::kLine, "/quit"));
  EXPECT_EQ(Type("/r\t\n"), Line(Result::kLine, "/re"));  // /reset or /retry.
  EXPECT_EQ(Type("a\t\n"), Line(Result::kLine, "a"));
}

}  // namespace
}  // namespace apollo::client
