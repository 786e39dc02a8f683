// Invalid model directories: every server reports the error in one line that
// names the file, and exits with a nonzero status. It never crashes.

#include <absl/base/config.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <vector>

#include "common/has_cuda.h"
#include "common/temp_folder.h"
#include "tests/e2e/child_process.h"
#include "tests/e2e/cluster.h"

namespace apollo {
namespace {

namespace fs = std::filesystem;

std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file),
          std::istreambuf_iterator<char>()};
}

void WriteAll(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

void Replace(const std::string& path, const std::string& from,
             const std::string& to) {
  std::string text = ReadAll(path);
  const std::size_t at = text.find(from);
  ASSERT_NE(at, std::string::npos) << from << " is not in " << path;
  WriteAll(path, text.replace(at, from.size(), to));
}

struct Case {
  const char* name;
  std::function<void(const std::string& folder)> spoil;
  std::vector<const char*> says;  // Required parts of the message.
  bool router_too = false;
};

// Returns the flag that lists the workers of a program.
std::string WorkersOf(const std::string& binary) {
  if (binary.find("router") == 0) return "--dense_workers=127.0.0.1:1";
  if (binary.find("worker") != std::string::npos) {
    return "--expert_workers=127.0.0.1:1";
  }
  return "--threads=1";  // It has all roles.
}

class BadModelTest : public ::testing::Test {
 protected:
  // Runs a server on the model until it ends. Returns its log.
  std::string RunServer(const std::string& binary, const std::string& model,
                        int& status) {
    const std::string log = folder_ + "/log";
    fs::remove(log);
    ChildProcess process(
        {Runfile(binary), "--model=" + model, "--listen=127.0.0.1:0",
         "--metrics_listen=127.0.0.1:0", WorkersOf(binary)},
        log);
    status = process.Wait();
    return ReadAll(log);
  }

  const TempFolder temp_;
  const std::string folder_ = temp_.path();
};

TEST_F(BadModelTest, AProcessThatNeedsWorkersDoesNotStartWithoutAny) {
  const struct {
    const char* binary;
    const char* flag;
  } kPrograms[] = {{"router/router", "--dense_workers"},
                   {"dense_worker/dense_worker", "--expert_workers"}};
  for (const auto& [binary, flag] : kPrograms) {
    const std::string list = flag;
    for (const std::string& given :
         {std::string("--name=n"), list + "=", list + "= ,"}) {
      const std::string log = folder_ + "/log";
      fs::remove(log);
      ChildProcess process(
          {Runfile(binary), "--model=" + Runfile("tests/golden/published"),
           "--listen=127.0.0.1:0", "--metrics_listen=127.0.0.1:0", given},
          log);
      EXPECT_EQ(process.Wait(), 1) << binary << " " << given;
      EXPECT_NE(ReadAll(log).find(": " + list + " names no worker"),
                std::string::npos)
          << binary << " " << given << ": " << ReadAll(log);
    }
  }
}

// Sanitizers need more memory than the limit.
#if defined(ABSL_HAVE_ADDRESS_SANITIZER) || defined(ABSL_HAVE_THREAD_SANITIZER)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

TEST_F(BadModelTest, AWorkerWithoutMemorySaysHowMuchItNeeds) {
  if (kSanitized) GTEST_SKIP() << "a sanitizer reserves more than the limit";
  const std::string log = folder_ + "/log";
  for (const char* binary :
       {"dense_worker/dense_worker", "expert_worker/expert_worker"}) {
    fs::remove(log);
    // The 16 GiB of the caches exceed 8 GiB of address space.
    ChildProcess process(
        {"/bin/bash", "-c", "ulimit -v 8388608 && exec \"$@\"", "bash",
         Runfile(binary), "--model=" + Runfile("tests/golden/published"),
         "--listen=127.0.0.1:0", "--metrics_listen=127.0.0.1:0", "--threads=1",
         "--cache_megabytes=16384", WorkersOf(binary)},
        log);
    EXPECT_EQ(process.Wait(), 1) << binary << ": " << ReadAll(log);
    // Or the machine has less memory than the cache.
    EXPECT_NE(ReadAll(log).find("--cache_megabytes"), std::string::npos)
        << binary << ": " << ReadAll(log);
  }
}

TEST_F(BadModelTest, EveryServerNamesWhatIsWrong) {
  const std::string header_start = "{\"";
  const std::vector<Case> cases = {
      {"missing config",
       [](const std::string& f) { fs::remove(f + "/config.json"); },
       {"config.json"},
       true},
      {"broken config",
       [](const std::string& f) { WriteAll(f + "/config.json", "{\"a\":"); },
       {"config.json", "malformed JSON"},
       true},
      {"deep config",
       [](const std::string& f) {
         WriteAll(f + "/config.json", std::string(100000, '['));
       },
       {"config.json", "nested deeper"},
       true},
      {"unknown architecture",
       [](const std::string& f) {
         Replace(f + "/config.json", "UpcyclingQwen2MoeForCausalLM",
                 "MambaModel");
       },
       {"config.json", "architectures", "MambaModel"},
       true},
      {"sparse layers not last",
       [](const std::string& f) {
         std::string text = ReadAll(f + "/config.json");
         const std::size_t key = text.find("\"mlp_only_layers\"");
         const std::size_t open = text.find('[', key);
         const std::size_t close = text.find(']', key);
         WriteAll(f + "/config.json",
                  text.replace(open, close - open + 1, "[0, 2]"));
       },
       {"config.json", "sparse layers must be the last ones"},
       true},
      {"a key that asks for another computation",
       [](const std::string& f) {
         Replace(f + "/config.json", "\"language_gate\": true",
                 "\"partial_rotary_factor\": 0.5");
       },
       {"config.json", "partial_rotary_factor", "0.5", "must be 1 or null"},
       true},
      {"biases that the config denies",
       [](const std::string& f) {
         Replace(f + "/config.json", "\"attention_bias\": true",
                 "\"attention_bias\": false");
       },
       {"model.safetensors", "_proj.bias", "is not read", "attention_bias"}},
      {"missing weights",
       [](const std::string& f) { fs::remove(f + "/model.safetensors"); },
       {"model.safetensors"}},
      {"empty weights",
       [](const std::string& f) { WriteAll(f + "/model.safetensors", ""); },
       {"model.safetensors"}},
      {"truncated weights",
       [](const std::string& f) {
         fs::resize_file(f + "/model.safetensors",
                         fs::file_size(f + "/model.safetensors") - 100);
       },
       {"model.safetensors"}},
      {"huge header",
       [](const std::string& f) {
         std::string bytes = ReadAll(f + "/model.safetensors");
         bytes.replace(0, 8,
                       std::string("\xff\xff\xff\xff\xff\xff\xff\x7f", 8));
         WriteAll(f + "/model.safetensors", bytes);
       },
       {"model.safetensors"}},
      {"tensor of another name",
       [](const std::string& f) {
         Replace(f + "/model.safetensors", "model.layers.3.mlp.gate.weight",
                 "model.layers.3.mlp.gete.weight");
       },
       {"model.layers.3.mlp.gate.weight"}},
      {"wrong shape",
       [](const std::string& f) {
         Replace(f + "/config.json", "\"num_experts\": 7",
                 "\"num_experts\": 6");
       },
       {"model.layers.2.mlp.gate.weight", "[7, 32]", "[6, 32]"}},
      {"a language in two families",
       [](const std::string& f) {
         WriteAll(f + "/families.txt", "0 a: en\n1 b: fr en\n");
       },
       {"families.txt:2", "language en already given on line 1"},
       true},
      {"an expert without a language",
       [](const std::string& f) {
         WriteAll(f + "/families.txt", "0 a: en\n2 b: fr\n");
       },
       {"families.txt:2", "expert 1 has no language"},
       true},
      {"a family without a language",
       [](const std::string& f) { WriteAll(f + "/families.txt", "0 a:\n"); },
       {"families.txt:1", "expert 0 (a) has no language"},
       true},
      {"a family of an expert that is not there",
       [](const std::string& f) {
         std::string text;
         for (char e = '0'; e <= '7'; ++e) {
           text += std::string(1, e) + " f" + e + ": l" + e + "\n";
         }
         WriteAll(f + "/families.txt", text);
       },
       {"families.txt:8", "expert 7 (f7) does not exist", "7 experts"},
       true},
      {"unknown type",
       [](const std::string& f) {
         std::string bytes = ReadAll(f + "/model.safetensors");
         const std::size_t at = bytes.find("\"BF16\"");
         ASSERT_NE(at, std::string::npos);
         WriteAll(f + "/model.safetensors", bytes.replace(at, 6, "\"I16\" "));
       },
       {"model.safetensors", "I16"}},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const std::string model = folder_ + "/model";
    fs::remove_all(model);
    fs::copy(Runfile("tests/golden/published"), model,
             fs::copy_options::recursive);
    fs::permissions(model, fs::perms::owner_all, fs::perm_options::add);
    for (const auto& file : fs::directory_iterator(model)) {
      fs::permissions(file.path(), fs::perms::owner_write,
                      fs::perm_options::add);
    }
    c.spoil(model);
    std::vector<std::string> servers = {"dense_worker/dense_worker",
                                        "expert_worker/expert_worker",
                                        "deploy/local/apollo_local"};
    if (c.router_too) servers.push_back("router/router");
    for (const std::string& server : servers) {
      SCOPED_TRACE(server);
      int status = 0;
      const std::string said = RunServer(server, model, status);
      EXPECT_EQ(status, 1) << said;
      for (const char* part : c.says) {
        EXPECT_NE(said.find(part), std::string::npos) << said;
      }
    }
  }
}

// Both a worker and the router read config.json. Without a tokenizer the
// process ends when the router has read it.
TEST_F(BadModelTest, ADoubtIsSaidOnceInAProcess) {
  const std::string model = folder_ + "/model";
  fs::create_directory(model);
  fs::copy_file(Runfile("tests/golden/published/model.safetensors"),
                model + "/model.safetensors");
  std::string config = ReadAll(Runfile("tests/golden/published/config.json"));
  WriteAll(model + "/config.json", config.insert(1, "\"new_gate\": 1, "));
  int status = 0;
  const std::string said =
      RunServer("deploy/local/apollo_local", model, status);
  EXPECT_EQ(status, 1) << said;
  EXPECT_NE(said.find("tokenizer.json"), std::string::npos) << said;
  const std::size_t first = said.find("model_doubtful");
  ASSERT_NE(first, std::string::npos) << said;
  EXPECT_EQ(said.find("model_doubtful", first + 1), std::string::npos) << said;
}

TEST_F(BadModelTest, ADirectoryThatIsNotThereAndFlagsThatAreWrong) {
  for (const char* server :
       {"dense_worker/dense_worker", "expert_worker/expert_worker",
        "deploy/local/apollo_local", "router/router"}) {
    int status = 0;
    const std::string said = RunServer(server, "/nonexistent/model", status);
    EXPECT_EQ(status, 1);
    EXPECT_NE(said.find("/nonexistent/model/config.json"), std::string::npos)
        << said;
  }
  const std::string log = folder_ + "/log";
  const std::string model = "--model=" + Runfile("tests/golden/published");
  const char* const kNoSuchGpu =
      kHasCuda ? "there is no GPU 999" : "built without CUDA; build it with";
  const struct {
    const char* binary;
    const char* flag;
    const char* says;
  } kFlags[] = {
      {"expert_worker/expert_worker", "--experts=0,7", "\"7\""},
      {"expert_worker/expert_worker", "--experts=", "--experts"},
      {"expert_worker/expert_worker", "--families=", "--families"},
      {"expert_worker/expert_worker", "--families=4,families.txt",
       "--families has \"families.txt\""},
      {"expert_worker/expert_worker", "--placement=manual",
       "--placement is \"manual\"; it must be fixed, auto or file:PATH"},
      {"expert_worker/expert_worker", "--resident_megabytes=1",
       "--resident_megabytes is 1, which goes only with --placement=auto"},
      {"expert_worker/expert_worker", "--standby_megabytes=-1",
       "--standby_megabytes is -1; it must be from 0"},
      {"expert_worker/expert_worker", "--lease=0s", "--lease is 0"},
      {"expert_worker/expert_worker", "--threads=100000",
       "--threads is 100000"},
      {"dense_worker/dense_worker", "--threads=-1", "--threads is -1"},
      {"dense_worker/dense_worker", "--device=gpu",
       "--device is \"gpu\"; it must be cpu, or cuda:N"},
      {"deploy/local/apollo_local", "--device=gpu",
       "--device is \"gpu\"; it must be cpu, or cuda:N"},
      {"dense_worker/dense_worker", "--device=cuda:999", kNoSuchGpu},
      {"expert_worker/expert_worker", "--device=cuda:999", kNoSuchGpu},
      {"dense_worker/dense_worker", "--cache_megabytes=0", "--cache_megabytes"},
      {"dense_worker/dense_worker", "--cache_dtype=fp16", "\"fp16\""},
      {"expert_worker/expert_worker", "--cache_dtype=fp16", "\"fp16\""},
      {"dense_worker/dense_worker", "--steps_in_flight=0",
       "--steps_in_flight is 0"},
      {"dense_worker/dense_worker", "--mixed_token_budget=0",
       "--mixed_token_budget is 0"},
      {"dense_worker/dense_worker", "--token_budget=2000000000",
       "--token_budget is 2000000000; it must be from 1 to "},
      {"deploy/local/apollo_local", "--token_budget=2000000000",
       "--token_budget is 2000000000; it must be from 1 to "},
      {"deploy/local/apollo_local", "--steps_in_flight=0",
       "--steps_in_flight is 0"},
      {"dense_worker/dense_worker", "--steps_in_flight=1000000",
       "--steps_in_flight is 1000000; it must be from 1 to 16"},
      {"dense_worker/dense_worker", "--overcommit=0.5",
       "--overcommit is 0.5; it must be 0 or from 1 to 100"},
      {"dense_worker/dense_worker", "--max_waiting_tokens=0",
       "--max_waiting_tokens is 0"},
      {"dense_worker/dense_worker", "--max_waiting_per_running=-1",
       "--max_waiting_per_running is -1; it must be 0 or from 0.01 to 100"},
      {"dense_worker/dense_worker", "--pinning=hard",
       "--pinning is \"hard\"; it must be strict, prefer or none"},
      {"dense_worker/dense_worker", "--expert_workers=nowhere",
       "--expert_workers: \"nowhere\" is not an address"},
      {"expert_worker/expert_worker", "--expert_workers=nowhere",
       "--expert_workers: \"nowhere\" is not an address"},
      {"expert_worker/expert_worker", "--restart_grace=2h",
       "--restart_grace is 2h; it must be from 0 to 1h"},
      {"expert_worker/expert_worker", "--drain_timeout=-1s",
       "--drain_timeout is -1s; it must be at least 0"},
      {"router/router", "--drain_timeout=-1s",
       "--drain_timeout is -1s; it must be at least 0"},
      {"deploy/local/apollo_local", "--drain=wait",
       "--drain is \"wait\"; it must be \"move\" or \"finish\""},
      {"dense_worker/dense_worker", "--drain=wait",
       "--drain is \"wait\"; it must be \"move\" or \"finish\""},
      {"dense_worker/dense_worker", "--expert_workers=dns:a b:1",
       "--expert_workers: \"a b\" is no name in DNS"},
      {"router/router", "--dense_workers=dns:a:b",
       "--dense_workers: \"dns:a:b\" has no port"},
      {"router/router", "--dns_server=nowhere",
       "--dns_server: \"nowhere\" is no DNS server"},
      {"router/router", "--dense_workers=nowhere",
       "--dense_workers: \"nowhere\" is not an address"},
      {"router/router", "--max_metadata_bytes=1",
       "--max_metadata_bytes is 1; it must be from 1024 to "},
      {"router/router", "stray", "router: \"stray\" is not a flag"},
      {"router/router", "--listen=nowhere", "--listen is \"nowhere\""},
      {"dense_worker/dense_worker", "--metrics_listen=192.0.2.1:0",
       "--metrics_listen: 192.0.2.1:0 is not on this machine alone"},
      {"router/router", "--listen=0.0.0.0:0",
       "--listen: 0.0.0.0:0 is not on this machine alone"},
      {"router/router", "--dense_workers=192.0.2.1:7001",
       "--dense_workers: 192.0.2.1:7001 is not on this machine alone"},
      {"expert_worker/expert_worker", "--expert_workers=192.0.2.1:7001",
       "--expert_workers: 192.0.2.1:7001 is not on this machine alone"},
      {"router/router", "--tls_cert=cert.pem",
       "missing are --tls_key --tls_ca"},
      {"router/router", "--tls_client_auth=maybe",
       "--tls_client_auth is \"maybe\"; it must be require or request"},
      {"router/router", "--default_routing=best", "best"},
      {"router/router", "--language_threshold=2",
       "--language_threshold is 2; it must be from 0 to 1"},
      {"router/router", "--expected_languages=de,tlh",
       "knows no language \"tlh\""},
      {"deploy/local/apollo_local", "--expected_languages=de,",
       "--expected_languages has \"\", which is not a language"},
      {"router/router", "--families_file=/nonexistent", "/nonexistent"},
      {"dense_worker/dense_worker", "--families_file=/nonexistent",
       "/nonexistent"},
      {"expert_worker/expert_worker", "--families_file=/nonexistent",
       "/nonexistent"},
      {"dense_worker/dense_worker", "--listen=999.1.1.1:0", "999.1.1.1:0"},
  };
  for (const auto& c : kFlags) {
    fs::remove(log);
    // The last flag wins.
    ChildProcess process(
        {Runfile(c.binary), model, WorkersOf(c.binary), c.flag}, log);
    EXPECT_EQ(process.Wait(), 1) << c.flag << ReadAll(log);
    EXPECT_NE(ReadAll(log).find(c.says), std::string::npos)
        << c.flag << ReadAll(log);
  }
  for (const char* server : {"router/router", "dense_worker/dense_worker",
                             "expert_worker/expert_worker"}) {
    fs::remove(log);
    // Help goes to standard output, but the log only captures standard error.
    ChildProcess process(
        {"/bin/sh", "-c", "exec \"$0\" --help >&2", Runfile(server)}, log);
    EXPECT_EQ(process.Wait(), 0);
    for (const char* flag : {"--model\n", "--listen\n", "--metrics_listen "}) {
      EXPECT_NE(ReadAll(log).find(flag), std::string::npos)
          << server << " --help does not mention " << flag << ReadAll(log);
    }
  }
}

}  // namespace
}  // namespace apollo
