// A checkpoint whose gate sends known tokens to known experts, through real
// clusters. Checks the exact counts in the reports of requests, in GetRouting,
// in the metrics of the expert workers and in the files of tools/routing_map.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "common/temp_folder.h"
#include "tests/e2e/child_process.h"
#include "tests/e2e/cluster.h"
#include "tests/e2e/generate.h"
#include "tests/e2e/http.h"
#include "tests/e2e/known_routing.h"

namespace apollo {
namespace {

namespace fs = std::filesystem;

struct Text {
  const char* language;
  int family;  // In the table of the paper.
  std::string text;
};

// Words of eight letters, all different, so that the map tool can split the
// text into words.
const std::vector<Text>& Texts() {
  static const auto* const texts =
      new std::vector<Text>{{"zh", 0, "abcdefgh ABCDEFGH qrstuvwx"},
                            {"ja", 1,
                             "zzzzyyyy 01234567 "
                             "ijklmnop"},
                            {"de", 4, "IJKLMNOP aaaaaaaa"},
                            {"sw", 6, "yzYZyzYZ QRSTUVWX bbbbbbbb cccccccc"}};
  return *texts;
}

std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file),
          std::istreambuf_iterator<char>()};
}

std::string Format(double number) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.6f", number);
  return buffer;
}

void ExpectUse(
    const google::protobuf::RepeatedPtrField<v1::LayerExpertUse>& layers,
    const KnownUse& known) {
  ASSERT_EQ(layers.size(), kKnownSparse);
  for (int i = 0; i < kKnownSparse; ++i) {
    EXPECT_EQ(layers[i].layer(), static_cast<unsigned>(kKnownBoundary + i));
    EXPECT_EQ(std::vector<std::uint64_t>(layers[i].tokens_by_expert().begin(),
                                         layers[i].tokens_by_expert().end()),
              std::vector<std::uint64_t>(known.by_expert[i].begin(),
                                         known.by_expert[i].end()));
    EXPECT_EQ(layers[i].off_family_tokens(), known.off_family[i]);
  }
}

class RoutingTest : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directory(folder_ + "/model");
    WriteKnownModel(folder_ + "/model");
  }

  const TempFolder temp_;
  const std::string folder_ = temp_.path();
};

// Returns the sums of apollo_expert_tokens_total over all expert workers.
std::map<std::string, double> ExpertTokens(Cluster& cluster, int workers) {
  std::map<std::string, double> sums;
  const std::string name = "apollo_expert_tokens_total";
  for (int i = 0; i < workers; ++i) {
    std::istringstream lines(
        HttpGet(cluster.MetricsAddress("expert-worker-" + std::to_string(i)),
                "/metrics"));
    for (std::string line; std::getline(lines, line);) {
      if (line.rfind(name + "{", 0) != 0) continue;
      const std::size_t end = line.find('}');
      const double value = std::atof(line.c_str() + end + 1);
      if (value > 0)
        sums[line.substr(name.size(), end + 1 - name.size())] += value;
    }
  }
  return sums;
}

v1::GetRoutingResponse GetRouting(v1::InferenceService::Stub& stub,
                                  int window) {
  grpc::ClientContext context;
  v1::GetRoutingRequest request;
  request.set_window_seconds(window);
  v1::GetRoutingResponse routing;
  const grpc::Status status = stub.GetRouting(&context, request, &routing);
  EXPECT_TRUE(status.ok()) << status.error_message();
  // The covered time differs between two answers.
  for (auto& source : *routing.mutable_sources())
    source.clear_covered_seconds();
  return routing;
}

TEST_F(RoutingTest, RequestsGetRoutingAndMetricsCountTheSame) {
  Cluster cluster(folder_ + "/model",
                  {.dense_workers = 2, .expert_workers = 3});
  cluster.Start();
  // The router serves as soon as it has found one of the two.
  cluster.WaitForMetric("router", "apollo_num_dense_workers_live", 2);
  const auto stub = cluster.NewStub();
  std::map<std::string, KnownUse> known;
  for (const bool hybrid : {false, true}) {
    // Several times, so that both dense workers serve some requests.
    for (int round = 0; round < 4; ++round) {
      for (const Text& text : Texts()) {
        // Each prompt is new, so none is found in a cache.
        const std::string prompt =
            std::to_string(round) + (hybrid ? "h" : "t") + text.text;
        v1::GenerateRequest request = GreedyRequest(prompt, 1);
        request.set_language(text.language);
        request.set_routing(hybrid ? v1::ROUTING_MODE_HYBRID
                                   : v1::ROUTING_MODE_TOPK);
        const Answer answer = Generate(*stub, request);
        ASSERT_TRUE(answer.status.ok()) << answer.status.error_message();
        KnownUse use;
        use.Add(prompt, text.family, hybrid);
        ExpectUse(answer.finished.expert_use(), use);
        known[text.language].Add(prompt, text.family, hybrid);
      }
    }
  }

  for (const int window : {0, 3600}) {
    const v1::GetRoutingResponse routing = GetRouting(*stub, window);
    EXPECT_EQ(routing.experts_per_token(), 2u);
    ASSERT_EQ(routing.sources_size(), 2);
    for (const v1::RoutingSource& source : routing.sources()) {
      EXPECT_TRUE(source.answered());
      EXPECT_EQ(source.dense_worker().rfind("dense-", 0), 0u);
    }
    ASSERT_EQ(routing.languages_size(), static_cast<int>(known.size()));
    for (const v1::LanguageRouting& language : routing.languages()) {
      SCOPED_TRACE(language.language());
      const KnownUse& use = known.at(language.language());
      const auto text = std::find_if(
          Texts().begin(), Texts().end(),
          [&](const Text& t) { return t.language == language.language(); });
      EXPECT_EQ(language.family(), text->family);
      EXPECT_EQ(language.tokens(), use.tokens);
      EXPECT_EQ(language.family_tokens(), use.tokens);
      ExpectUse(language.layers(), use);
    }
  }

  std::map<std::string, double> expected;
  for (const auto& [language, use] : known) {
    for (int i = 0; i < kKnownSparse; ++i) {
      for (int e = 0; e < kKnownExperts; ++e) {
        if (use.by_expert[i][e] == 0) continue;
        expected["{expert=\"" + std::to_string(e) + "\",language=\"" +
                 language + "\",layer=\"" + std::to_string(kKnownBoundary + i) +
                 "\"}"] = static_cast<double>(use.by_expert[i][e]);
      }
    }
  }
  EXPECT_EQ(ExpertTokens(cluster, 3), expected);
  cluster.StopAll();
}

TEST_F(RoutingTest, TwoRoutersGiveTheSameMap) {
  Cluster cluster(folder_ + "/model",
                  {.dense_workers = 2, .expert_workers = 2, .routers = 2});
  cluster.Start();
  for (const char* router : {"router", "router-1"}) {
    cluster.WaitForMetric(router, "apollo_num_dense_workers_live", 2);
  }
  const auto one = cluster.NewStub(0);
  const auto other = cluster.NewStub(1);
  KnownUse known;
  // One router gets most of the requests.
  for (int round = 0; round < 8; ++round) {
    const std::string prompt = std::to_string(round) + "abcdefgh IJKLMNOP";
    v1::GenerateRequest request = GreedyRequest(prompt, 1);
    request.set_language("de");
    request.set_routing(v1::ROUTING_MODE_HYBRID);
    const Answer answer = Generate(round < 6 ? *one : *other, request);
    ASSERT_TRUE(answer.status.ok()) << answer.status.error_message();
    known.Add(prompt, 4, /*hybrid=*/true);
  }
  for (const int window : {0, 3600}) {
    const v1::GetRoutingResponse mine = GetRouting(*one, window);
    const v1::GetRoutingResponse theirs = GetRouting(*other, window);
    EXPECT_EQ(mine.DebugString(), theirs.DebugString());
    // Both routers report the tokens of both.
    ASSERT_EQ(mine.languages_size(), 1);
    EXPECT_EQ(mine.languages(0).tokens(), known.tokens);
    ExpectUse(mine.languages(0).layers(), known);
  }
  cluster.StopAll();
}

TEST_F(RoutingTest, AStopStringLeavesTheUseOfWhatWasDelivered) {
  for (const int expert_workers : {0, 2}) {
    Cluster cluster(folder_ + "/model", {.expert_workers = expert_workers});
    cluster.Start();
    const auto stub = cluster.NewStub();
    // The model repeats the lowest token with the embedding of the last one;
    // "K" is token 42, which is "!" again.
    v1::GenerateRequest request = GreedyRequest("abcK", 100);
    request.set_language("de");
    request.add_stop("!!!");
    const Answer answer = Generate(*stub, request);
    ASSERT_TRUE(answer.status.ok()) << answer.status.error_message();
    EXPECT_EQ(answer.finished.reason(), v1::FINISH_REASON_STOP);
    EXPECT_EQ(answer.finished.usage().generated_tokens(), 3u);
    // The third "!" is sampled, but does not go through the layers.
    KnownUse use;
    use.Add("abcK!!", 4, /*hybrid=*/false);
    ExpectUse(answer.finished.expert_use(), use);
    cluster.StopAll();
  }
}

// Checks the files of the map tool against the tokens of the texts.
void ExpectFiles(const std::string& folder,
                 const std::vector<std::pair<Text, KnownUse>>& known) {
  std::ostringstream routing, off;
  routing << "language,family,layer,expert,tokens,share\n";
  off << "language,family,layer,tokens,off_family_tokens,token_rate,choice_"
         "rate\n";
  for (const auto& [text, use] : known) {
    for (int i = 0; i < kKnownSparse; ++i) {
      const double tokens = static_cast<double>(use.tokens);
      for (int e = 0; e < kKnownExperts; ++e) {
        routing << text.language << "," << text.family << ","
                << kKnownBoundary + i << "," << e << "," << use.by_expert[i][e]
                << "," << Format(use.by_expert[i][e] / (2 * tokens)) << "\n";
      }
      off << text.language << "," << text.family << "," << kKnownBoundary + i
          << "," << use.tokens << "," << use.off_family[i] << ","
          << Format(use.off_family[i] / tokens) << ","
          << Format(1 - (tokens - use.off_family[i]) / (2 * tokens)) << "\n";
    }
  }
  for (int i = 0; i < kKnownSparse; ++i) {
    for (int e = 0; e < kKnownExperts; ++e) {
      std::uint64_t sum = 0;
      double shares = 0;
      for (const auto& [text, use] : known) {
        sum += use.by_expert[i][e];
        shares += use.by_expert[i][e] / (2.0 * use.tokens);
      }
      routing << "average,-1," << kKnownBoundary + i << "," << e << "," << sum
              << "," << Format(shares / known.size()) << "\n";
    }
  }
  EXPECT_EQ(ReadAll(folder + "/routing.csv"), routing.str());
  EXPECT_EQ(ReadAll(folder + "/off_family.csv"), off.str());
}

TEST_F(RoutingTest, TheMapIsExactlyWhatTheGateDoes) {
  Cluster cluster(folder_ + "/model", {.expert_workers = 2});
  cluster.Start();
  std::vector<std::string> files;
  for (const Text& text : Texts()) {
    files.push_back(folder_ + "/" + text.language + ".txt");
  }
  const std::string log = folder_ + "/log";
  const auto run = [&](std::vector<std::string> flags) {
    std::vector<std::string> argv = {
        Runfile("tools/routing_map/routing_map.py"),
        "--apollo=" + Runfile("tools/apollo/apollo"),
        "--server=" + cluster.address()};
    argv.insert(argv.end(), flags.begin(), flags.end());
    fs::remove(log);
    return ChildProcess(argv, log).Wait();
  };
  const auto all = [&](std::vector<std::string> flags) {
    flags.insert(flags.end(), files.begin(), files.end());
    return flags;
  };

  for (const bool hybrid : {false, true}) {
    SCOPED_TRACE(hybrid ? "hybrid" : "topk");
    const std::string mode = hybrid ? "hybrid" : "topk";
    // Different prompts in each mode, so that none is found in a cache.
    std::vector<Text> texts = Texts();
    for (std::size_t i = 0; i < texts.size(); ++i) {
      if (hybrid) std::reverse(texts[i].text.begin(), texts[i].text.end());
      std::ofstream(files[i]) << texts[i].text << "\n";
    }
    // In one piece, with spaces.
    std::string out = folder_ + "/" + mode;
    ASSERT_EQ(run(all({"--no_plot", "--routing", mode, "--out", out})), 0)
        << ReadAll(log);
    std::vector<std::pair<Text, KnownUse>> known;
    for (const Text& text : texts) {
      known.push_back({text, {}});
      known.back().second.Add(text.text, text.family, hybrid);
    }
    ExpectFiles(out, known);
    // In pieces of one word each, without spaces.
    out = folder_ + "/pieces_" + mode;
    ASSERT_EQ(run(all({"--no_plot", "--routing", mode, "--piece_bytes", "8",
                       "--out", out})),
              0)
        << ReadAll(log);
    for (auto& [text, use] : known) {
      std::string words = text.text;
      words.erase(std::remove(words.begin(), words.end(), ' '), words.end());
      use = {};
      use.Add(words, text.family, hybrid);
    }
    ExpectFiles(out, known);
  }

  // Errors are reported, but never with the text.
  const std::string out = "--out=" + folder_ + "/bad";
  std::ofstream(folder_ + "/fi.txt") << "secret\n";
  std::ofstream(folder_ + "/ar.txt") << " \n";
  std::ofstream(folder_ + "/ha.txt") << "secret\xff\n";
  for (const auto& [file, says] :
       std::map<std::string, std::string>{{"fi", "\"fi\" is not in"},
                                          {"ar", "has no text"},
                                          {"ha", "byte 6 is not UTF-8"},
                                          {"ln", "No such file"}}) {
    EXPECT_EQ(run({"--no_plot", out, folder_ + "/" + file + ".txt"}), 1);
    EXPECT_NE(ReadAll(log).find(says), std::string::npos) << ReadAll(log);
    EXPECT_EQ(ReadAll(log).find("secret"), std::string::npos) << ReadAll(log);
  }
  EXPECT_EQ(run({"--no_plot", out, files[0], files[0]}), 1);
  EXPECT_NE(ReadAll(log).find("a second file"), std::string::npos);
  cluster.StopAll();
}

TEST_F(RoutingTest, AWorkerThatIsGoneIsNamedWithTheReason) {
  Cluster cluster(folder_ + "/model",
                  {.dense_workers = 2, .expert_workers = 1});
  cluster.Start();
  const auto stub = cluster.NewStub();
  // The router serves as soon as it has found one of the two.
  ASSERT_TRUE(cluster.WaitForLog("\"dense_worker_found\",\"address\":\"" +
                                 cluster.dense_address(1)));
  cluster.KillDense(1);
  ASSERT_TRUE(cluster.WaitForLog("dense_worker_lost"));
  const v1::GetRoutingResponse routing = GetRouting(*stub, 0);
  ASSERT_EQ(routing.sources_size(), 2);
  std::string gone;
  for (const v1::RoutingSource& source : routing.sources()) {
    EXPECT_EQ(source.reason().empty(), source.answered());
    if (!source.answered()) gone = source.dense_worker();
  }
  ASSERT_NE(gone, "");

  std::ofstream(folder_ + "/de.txt") << "abcdefgh";
  const std::string log = folder_ + "/log";
  ChildProcess process(
      {Runfile("tools/routing_map/routing_map.py"), "--no_plot",
       "--apollo=" + Runfile("tools/apollo/apollo"),
       "--server=" + cluster.address(), "--out=" + folder_ + "/out",
       folder_ + "/de.txt"},
      log);
  ASSERT_EQ(process.Wait(), 0) << ReadAll(log);
  EXPECT_NE(ReadAll(log).find("note: dense worker " + gone), std::string::npos)
      << ReadAll(log);
}

// The counts are not lost if the cluster cannot be asked for its workers.
TEST_F(RoutingTest, TheMapIsWrittenWithoutTheListOfWorkers) {
  Cluster cluster(folder_ + "/model", {.expert_workers = 0});
  cluster.Start();
  std::ofstream(folder_ + "/de.txt") << "abcdefgh";
  const std::string client = folder_ + "/client";
  std::ofstream(client) << "#!/bin/sh\nfor a in \"$@\"; do\n"
                           "  [ \"$a\" = routing ] && echo busy >&2 && exit 1\n"
                           "done\nexec '"
                        << Runfile("tools/apollo/apollo") << "' \"$@\"\n";
  fs::permissions(client, fs::perms::owner_all);
  const std::string log = folder_ + "/log";
  ChildProcess process(
      {Runfile("tools/routing_map/routing_map.py"), "--no_plot",
       "--apollo=" + client, "--server=" + cluster.address(),
       "--out=" + folder_ + "/out", folder_ + "/de.txt"},
      log);
  ASSERT_EQ(process.Wait(), 0) << ReadAll(log);
  EXPECT_NE(ReadAll(log).find("note: cannot determine"), std::string::npos)
      << ReadAll(log);
  EXPECT_NE(ReadAll(log).find("busy"), std::string::npos) << ReadAll(log);
  EXPECT_NE(ReadAll(folder_ + "/out/routing.csv").find("de,4,"),
            std::string::npos);
  cluster.StopAll();
}

TEST_F(RoutingTest, TheMapIsDrawn) {
  if (std::system("/usr/bin/python3 -c 'import matplotlib' 2>/dev/null") != 0) {
    GTEST_SKIP() << "matplotlib is missing: run tools/routing_map/setup.sh";
  }
  Cluster cluster(folder_ + "/model", {.expert_workers = 0});
  cluster.Start();
  std::ofstream(folder_ + "/de.txt") << "abcdefgh";
  std::ofstream(folder_ + "/sw.txt") << "ABCDEFGH";
  const std::string log = folder_ + "/log";
  ChildProcess process(
      {Runfile("tools/routing_map/routing_map.py"),
       "--apollo=" + Runfile("tools/apollo/apollo"),
       "--server=" + cluster.address(), "--out=" + folder_ + "/out",
       folder_ + "/de.txt", folder_ + "/sw.txt"},
      log);
  ASSERT_EQ(process.Wait(), 0) << ReadAll(log);
  const std::string svg = ReadAll(folder_ + "/out/routing.svg");
  for (const char* text : {"average", "de (family 4)", "sw (family 6)"}) {
    EXPECT_NE(svg.find(text), std::string::npos) << text;
  }
  const std::string png = ReadAll(folder_ + "/out/routing.png");
  EXPECT_EQ(png.substr(1, 3), "PNG");
  cluster.StopAll();
}

}  // namespace
}  // namespace apollo
