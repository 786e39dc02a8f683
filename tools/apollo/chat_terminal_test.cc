// The program itself at a pseudo-terminal, as a user has it.

#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "tools/apollo/fake_server.h"

namespace apollo::client {
namespace {

constexpr char kProgram[] = "tools/apollo/apollo";

class ChatTerminalTest : public testing::Test {
 protected:
  void SetUp() override {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.RegisterService(&service_);
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                             &port);
    service_.generate = [](grpc::ServerContext* context,
                           const v1::GenerateRequest& request,
                           FakeService::Writer* writer) {
      const auto& messages = request.chat().messages();
      const std::string& last = messages[messages.size() - 1].content();
      Events events(writer);
      events.Write(Delta("answer to " + last));
      while (last == "endless" && !context->IsCancelled()) {
        std::this_thread::yield();
      }
      events.Write(Finished());
      return grpc::Status::OK;
    };
    server_ = builder.BuildAndStart();
    const std::string address = "127.0.0.1:" + std::to_string(port);
    std::vector<const char*> arguments = {kProgram, "--server", address.c_str(),
                                          "chat", nullptr};
    ASSERT_EQ(setenv("TERM", "vt100", 1), 0);
    winsize size{.ws_row = 24, .ws_col = 200, .ws_xpixel = 0, .ws_ypixel = 0};
    child_ = forkpty(&keys_, nullptr, nullptr, &size);
    ASSERT_GE(child_, 0);
    if (child_ == 0) {
      execv(kProgram, const_cast<char**>(arguments.data()));
      _exit(127);
    }
  }

  void TearDown() override {
    if (child_ > 0) {
      kill(child_, SIGKILL);
      waitpid(child_, nullptr, 0);
    }
    if (keys_ >= 0) close(keys_);
    server_->Shutdown(std::chrono::system_clock::now());
  }

  // Reads what the program prints until it contains the text, and drops it up
  // to there. Fails after two minutes.
  testing::AssertionResult Shows(const std::string& text) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(2);
    while (true) {
      const std::size_t at = screen_.find(text);
      if (at != std::string::npos) {
        screen_.erase(0, at + text.size());
        return testing::AssertionSuccess();
      }
      pollfd ready{.fd = keys_, .events = POLLIN, .revents = 0};
      char buffer[4096];
      if (std::chrono::steady_clock::now() > end ||
          poll(&ready, 1, 120'000) != 1) {
        break;
      }
      const ssize_t size = read(keys_, buffer, sizeof buffer);
      if (size <= 0) break;
      screen_.append(buffer, size);
    }
    return testing::AssertionFailure()
           << "\"" << text << "\" is not in: " << screen_;
  }

  void Type(const std::string& keys) {
    EXPECT_EQ(write(keys_, keys.data(), keys.size()),
              static_cast<ssize_t>(keys.size()));
  }

  // Waits until the program edits a line.
  void AwaitPrompt() {
    EXPECT_TRUE(Shows("> "));
    termios settings;
    do {
      std::this_thread::yield();
      ASSERT_EQ(tcgetattr(keys_, &settings), 0);
    } while ((settings.c_lflag & ICANON) != 0);
  }

  int ExitCode() {
    int status = 0;
    EXPECT_EQ(waitpid(child_, &status, 0), child_);
    child_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  FakeService service_;
  std::unique_ptr<grpc::Server> server_;
  pid_t child_ = -1;
  int keys_ = -1;
  std::string screen_;
};

TEST_F(ChatTerminalTest, EditsRecallsAndEnds) {
  AwaitPrompt();
  Type("fe\x02\x62\x05ver\n");  // Inserts a "b" before the "e".
  EXPECT_TRUE(Shows("answer to fbever"));
  AwaitPrompt();
  Type("\x1b[A?\n");
  EXPECT_TRUE(Shows("answer to fbever?"));
  AwaitPrompt();
  Type("/nope\n");
  EXPECT_TRUE(Shows("is not a command"));
  AwaitPrompt();
  Type("\x04");
  EXPECT_EQ(ExitCode(), 0);
}

TEST_F(ChatTerminalTest, CtrlCStopsTheAnswerAndNotTheProgram) {
  AwaitPrompt();
  Type("half a line\x03");
  AwaitPrompt();
  Type("endless\n");
  EXPECT_TRUE(Shows("answer to endless"));
  Type("\x03");
  EXPECT_TRUE(Shows("Cancelled."));
  AwaitPrompt();
  Type("more\n");
  EXPECT_TRUE(Shows("answer to more"));
  AwaitPrompt();
  Type("/quit\n");
  EXPECT_EQ(ExitCode(), 0);
  const auto requests = service_.generate_requests();
  ASSERT_EQ(requests.size(), 2u);  // The dropped line was not sent.
  EXPECT_EQ(requests[1].chat().messages_size(), 3);
}

}  // namespace
}  // namespace apollo::client
