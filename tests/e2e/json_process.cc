#include "tests/e2e/json_process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>

namespace apollo {

JsonProcess::JsonProcess(const std::vector<std::string>& argv,
                         const std::string& log_file) {
  int in[2] = {-1, -1}, out[2] = {-1, -1};
  EXPECT_EQ(pipe2(in, O_CLOEXEC), 0);
  EXPECT_EQ(pipe2(out, O_CLOEXEC), 0);
  process_ = std::make_unique<ChildProcess>(
      argv, log_file, ChildProcess::Streams{in[0], out[1]});
  close(in[0]);
  close(out[1]);
  to_ = fdopen(in[1], "w");
  from_ = fdopen(out[0], "r");
  signal(SIGPIPE, SIG_IGN);  // Reading shows that the program has ended.
}

JsonProcess::~JsonProcess() {
  std::fclose(to_);
  process_->Wait();
  std::fclose(from_);
}

Json JsonProcess::Read() {
  char* line = nullptr;
  std::size_t capacity = 0;
  const ssize_t size = getline(&line, &capacity, from_);
  const std::string text(line != nullptr && size > 0 ? line : "");
  std::free(line);
  auto json = ParseJson(text, "a line of the program's output");
  if (!json.ok()) return {{"error", std::string(json.status().message())}};
  return *std::move(json);
}

Json JsonProcess::Ask(const Json& request) {
  std::fprintf(to_, "%s\n", request.dump().c_str());
  std::fflush(to_);
  return Read();
}

}  // namespace apollo
