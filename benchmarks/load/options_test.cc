#include "benchmarks/load/options.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

namespace apollo::load {
namespace {

class OptionsTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : kVariables) unsetenv(name);
  }
  void TearDown() override { SetUp(); }

  // Returns the options of a command line without the program's name.
  static Options Parse(std::vector<std::string> arguments) {
    Options options;
    CLI::App app;
    AddOptions(app, options);
    // CLI11 takes them from the end.
    std::reverse(arguments.begin(), arguments.end());
    app.parse(std::move(arguments));
    return options;
  }

  static constexpr const char* kVariables[] = {
      "APOLLO_SERVER",  "APOLLO_TLS_CA",          "APOLLO_TLS_CERT",
      "APOLLO_TLS_KEY", "APOLLO_TLS_SERVER_NAME", "APOLLO_TOKEN_FILE"};
};

TEST_F(OptionsTest, HaveDefaults) {
  const Options options = Parse({});
  EXPECT_EQ(options.connection.server, "127.0.0.1:50051");
  EXPECT_EQ(options.connection.tls_ca, "");
  EXPECT_EQ(options.streams, 1);
  EXPECT_EQ(options.new_tokens, 64);
  EXPECT_EQ(options.seed, 0u);
}

TEST_F(OptionsTest, AreThoseOfTheCommandLine) {
  const Options options =
      Parse({"--server=a:1", "--tls_ca", "ca.pem", "--tls_cert=me.pem",
             "--tls_key=me.key", "--tls_server_name=router", "--token_file=t",
             "--streams=3", "--arrivals", "2", "--seed=18446744073709551615"});
  EXPECT_EQ(options.connection.server, "a:1");
  EXPECT_EQ(options.connection.tls_ca, "ca.pem");
  EXPECT_EQ(options.connection.tls_cert, "me.pem");
  EXPECT_EQ(options.connection.tls_key, "me.key");
  EXPECT_EQ(options.connection.tls_server_name, "router");
  EXPECT_EQ(options.connection.token_file, "t");
  EXPECT_EQ(options.streams, 3);
  EXPECT_EQ(options.arrivals, 2);
  EXPECT_EQ(options.seed, 18446744073709551615u);
}

TEST_F(OptionsTest, TheCommandLinePrecedesTheEnvironment) {
  setenv("APOLLO_TLS_CA", "of_environment", 1);
  setenv("APOLLO_SERVER", "b:2", 1);
  EXPECT_EQ(Parse({}).connection.tls_ca, "of_environment");
  EXPECT_EQ(Parse({}).connection.server, "b:2");
  EXPECT_EQ(Parse({"--tls_ca=of_option"}).connection.tls_ca, "of_option");
}

TEST_F(OptionsTest, WrongValuesAreRefused) {
  EXPECT_THROW(Parse({"--server=a"}), CLI::ValidationError);
  EXPECT_THROW(Parse({"--streams=0"}), CLI::ValidationError);
  EXPECT_THROW(Parse({"--arrivals=-1"}), CLI::ValidationError);
  EXPECT_THROW(Parse({"--stream=1"}), CLI::ParseError);
}

}  // namespace
}  // namespace apollo::load
