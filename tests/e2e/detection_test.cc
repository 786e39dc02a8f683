// Language detection through real processes: texts of all sizes, text in no
// language, and invalid detectors.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "common/temp_folder.h"
#include "tests/e2e/child_process.h"
#include "tests/e2e/cluster.h"
#include "tests/e2e/generate.h"

namespace apollo {
namespace {

std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file),
          std::istreambuf_iterator<char>()};
}

std::string Repeated(const std::string& text, std::size_t bytes) {
  std::string all;
  while (all.size() + text.size() <= bytes) all += text;
  return all;
}

TEST(DetectionTest, AnyTextHasADefinedResult) {
  Cluster cluster(Runfile("tests/golden/published"), {.expert_workers = 0});
  cluster.Start();
  const auto stub = cluster.NewStub();
  constexpr std::size_t kMegabyte = 1 << 20;
  const struct {
    const char* name;
    std::string text;
    std::string language;  // "?": any; "-": any guess, but no family.
  } kCases[] = {
      {"one byte", "a", "?"},
      {"a digit", "7", ""},
      {"a control character", "\x01", ""},
      {"NUL", std::string(1, '\0'), ""},
      {"control characters", Repeated("\x01\x02\x1b\x7f\r\n", 4096), ""},
      {"a megabyte of control characters", Repeated("\x1b\x07", kMegabyte), ""},
      {"a megabyte of blanks", Repeated(" ", kMegabyte), ""},
      {"a megabyte of one letter", Repeated("a", kMegabyte), "?"},
      {"a megabyte of numbers", Repeated("120/80 ", kMegabyte), ""},
      {"a megabyte of German",
       Repeated("Was sind die Anzeichen einer Grippe? ", kMegabyte), "de"},
      {"control characters in German",
       "Was\x01sind\x02die\x1b Anzeichen\x7f einer\v Grippe?", "de"},
      {"code alone", "```int main() { return 0; }```", ""},
      {"a link alone", "https://www.example.org/what-is-the-treatment", ""},
      {"drugs alone", "atorvastatin 20mg, amoxicillin", "-"},
  };
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.name);
    grpc::ClientContext context;
    v1::DetectLanguageRequest request;
    request.set_text(c.text);
    v1::DetectLanguageResponse response;
    const grpc::Status status =
        stub->DetectLanguage(&context, request, &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
    if (c.language == "-") {
      EXPECT_EQ(response.family(), -1);
    } else if (c.language != "?") {
      EXPECT_EQ(response.language(), c.language);
      EXPECT_EQ(response.family(), c.language.empty() ? -1 : 4);
    }
    EXPECT_GE(response.confidence(), 0);
    EXPECT_LE(response.confidence(), 1);
  }

  // Longer and empty texts are rejected.
  for (const std::string& text :
       {std::string(), Repeated("a", kMegabyte + 1)}) {
    grpc::ClientContext context;
    v1::DetectLanguageRequest request;
    request.set_text(text);
    v1::DetectLanguageResponse response;
    EXPECT_EQ(stub->DetectLanguage(&context, request, &response).error_code(),
              grpc::StatusCode::INVALID_ARGUMENT);
  }

  // Text in no language is answered with topk, and `started` reports that.
  v1::GenerateRequest request = GreedyRequest("120/80, 20 mg?", 1);
  request.set_routing(v1::ROUTING_MODE_HYBRID);
  const Answer answer = Generate(*stub, request);
  ASSERT_TRUE(answer.status.ok()) << answer.status.error_message();
  EXPECT_EQ(answer.started.routing(), v1::ROUTING_MODE_TOPK);
  EXPECT_EQ(answer.started.family(), -1);
  EXPECT_EQ(answer.started.language(), "");
  cluster.StopAll();
}

TEST(DetectionTest, ADetectorThatIsWrongKeepsTheRouterFromStarting) {
  const TempFolder folder;
  const std::string path = folder.path();
  const std::string model = ReadAll("model/language/classifier.ftz");
  ASSERT_GT(model.size(), 100'000u);
  std::ofstream(path + "/truncated.ftz", std::ios::binary)
      << model.substr(0, model.size() / 2);
  std::ofstream(path + "/text.ftz") << "no model\n";
  std::ofstream(path + "/klingon.txt") << "0 klingon: tlh\n";
  std::ofstream(path + "/labels.ftz", std::ios::binary) << model;
  std::ofstream(path + "/labels.ftz.settings") << "label __label__de tlh\n";
  const struct {
    std::string flag;
    std::string says;
  } kCases[] = {
      {"--language_model=" + path + "/missing.ftz", path + "/missing.ftz"},
      {"--language_model=" + path + "/truncated.ftz", "truncated"},
      {"--language_model=" + path + "/text.ftz", "wrong magic number"},
      // No label is a language of the table.
      {"--families_file=" + path + "/klingon.txt", "none of its"},
      {"--language_model=" + path + "/labels.ftz", "tlh"},
  };
  for (const auto& c : kCases) {
    const std::string log = path + "/log";
    std::filesystem::remove(log);
    ChildProcess process(
        {Runfile("router/router"),
         "--model=" + Runfile("tests/golden/published"), "--listen=127.0.0.1:0",
         "--metrics_listen=127.0.0.1:0", "--dense_workers=127.0.0.1:1", c.flag},
        log);
    EXPECT_EQ(process.Wait(), 1) << c.flag;
    EXPECT_NE(ReadAll(log).find(c.says), std::string::npos)
        << c.flag << ": " << ReadAll(log);
  }
}

}  // namespace
}  // namespace apollo
