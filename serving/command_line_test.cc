#include "serving/command_line.h"

#include <absl/flags/declare.h>
#include <absl/flags/flag.h>
#include <absl/flags/reflection.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "serving/process_flags.h"

ABSL_DECLARE_FLAG(int, max_connections);
ABSL_DECLARE_FLAG(std::vector<std::string>, flagfile);

namespace apollo {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class CommandLineTest : public testing::Test {
 protected:
  static std::vector<std::string> Read(
      const std::vector<std::string>& arguments) {
    const auto line = ReadCommandLine(arguments);
    EXPECT_TRUE(line.ok()) << line.status();
    return line.ok() ? line->arguments : std::vector<std::string>();
  }
  static std::string ErrorOf(const std::vector<std::string>& arguments) {
    const auto line = ReadCommandLine(arguments);
    EXPECT_EQ(line.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(line.status().message());
  }

 private:
  // Links the flags of process_flags.cc.
  const absl::StatusOr<ProcessFlags> flags_ = ReadProcessFlags("x");
  const absl::FlagSaver saver_;
};

TEST_F(CommandLineTest, NamesMayHaveDashes) {
  EXPECT_THAT(
      Read({"--max-connections=4", "--metrics_listen=h-o:1", "-name", "a-b",
            "--strict-model", "--no-strict-model", "--nostrict_model"}),
      ElementsAre("--max_connections=4", "--metrics_listen=h-o:1", "--name=a-b",
                  "--strict_model", "--nostrict_model", "--nostrict_model"));
}

TEST_F(CommandLineTest, TheNearestFlagIsProposed) {
  EXPECT_EQ(ErrorOf({"--modle=x"}),
            "\"--modle\" is not a flag; did you mean --model? --help lists all "
            "flags");
  EXPECT_THAT(ErrorOf({"--max_conections", "4"}),
              HasSubstr("did you mean --max_connections?"));
  EXPECT_EQ(ErrorOf({"--quantum=1"}),
            "\"--quantum\" is not a flag; --help lists all flags");
}

TEST_F(CommandLineTest, AWrongValueIsNamedWithARightOne) {
  EXPECT_EQ(ErrorOf({"--max_connections=abc"}),
            "--max_connections is \"abc\"; it must be a whole number such as "
            "1000");
  EXPECT_EQ(ErrorOf({"--strict_model=maybe"}),
            "--strict_model is \"maybe\"; it must be true or false");
  EXPECT_THAT(ErrorOf({"--name"}), HasSubstr("--name has no value"));
  EXPECT_EQ(ErrorOf({"--no-strict-model=true"}),
            "\"--no-strict-model=true\" has a value; it must be "
            "--nostrict_model, or --strict_model with true or false");
  EXPECT_EQ(absl::GetFlag(FLAGS_max_connections), 1000);
}

TEST_F(CommandLineTest, WhatIsNoFlagIsRefused) {
  for (const char* argument : {"model", "", "-", "--", "---model=x"}) {
    EXPECT_THAT(ErrorOf({argument}),
                HasSubstr("\"" + std::string(argument) + "\" is not a flag"));
  }
}

TEST_F(CommandLineTest, HelpAndVersionAreNotedFirst) {
  for (const char* help : {"--help", "-h"}) {
    const auto line = ReadCommandLine({help});
    ASSERT_TRUE(line.ok());
    EXPECT_TRUE(line->help);
    EXPECT_FALSE(line->version);
  }
  EXPECT_TRUE(ReadCommandLine({"--version"})->version);
}

TEST_F(CommandLineTest, FilesOfFlagsAreLeftToAbseil) {
  EXPECT_THAT(Read({"--flagfile", "/none"}), ElementsAre("--flagfile=/none"));
  EXPECT_THAT(absl::GetFlag(FLAGS_flagfile), IsEmpty());
}

TEST_F(CommandLineTest, UnknownFlagsMayBeAllowed) {
  EXPECT_THAT(Read({"--undefok=later", "--later=1"}),
              ElementsAre("--undefok=later", "--later=1"));
}

TEST_F(CommandLineTest, HelpListsOurFlagsWithTheirDefaults) {
  const std::string text = HelpText("router", "Serves.\nExample: router");
  EXPECT_THAT(text, HasSubstr("router: Serves.\nExample: router\n"));
  EXPECT_THAT(text, HasSubstr("--max_connections  (default: 1000)\n      "
                              "Maximum number of open connections"));
  EXPECT_THAT(text, Not(HasSubstr("--undefok  ")));
  for (std::size_t at = 0, end = 0; at < text.size(); at = end + 1) {
    end = std::min(text.find('\n', at), text.size());
    EXPECT_LE(end - at, 80u) << text.substr(at, end - at);
  }
}

}  // namespace
}  // namespace apollo
