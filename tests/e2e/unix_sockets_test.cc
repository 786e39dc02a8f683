// A cluster whose processes talk over Unix sockets.

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "common/temp_folder.h"
#include "tests/e2e/cluster.h"
#include "tests/e2e/generate.h"

namespace apollo {
namespace {

TEST(UnixSocketsTest, AClusterTalksOverThem) {
  const TempFolder temp;
  const std::string& folder = temp.path();
  const auto at = [&folder](const std::string& name) {
    return "--listen=unix:" + folder + "/" + name;
  };
  Cluster cluster(Runfile("tests/golden/published"),
                  {.dense_flags = {at("dense")},
                   .expert_flags = {at("expert")},
                   .router_flags = {at("router")}});
  cluster.Start();
  EXPECT_EQ(cluster.address(), "unix:" + folder + "/router");
  const v1::GenerateRequest request =
      GreedyRequest("User:what helps against fever\nAssistant:", 5);
  const Answer first = Generate(*cluster.NewStub(), request);
  EXPECT_TRUE(first.status.ok()) << first.status.error_message();
  EXPECT_EQ(first.ids.size(), 5u);
  // They leave their sockets, which their successors replace.
  cluster.KillExpert(0);
  cluster.KillDense(0);
  EXPECT_TRUE(std::filesystem::is_socket(folder + "/expert"));
  cluster.StartExpert(0);
  cluster.StartDense(0);
  cluster.WaitForHealth(true);
  const Answer second = Generate(*cluster.NewStub(), request);
  EXPECT_TRUE(second.status.ok()) << second.status.error_message();
  EXPECT_EQ(second.ids, first.ids);
  cluster.StopAll();
  for (const char* name : {"dense", "expert", "router"}) {
    EXPECT_FALSE(std::filesystem::exists(folder + "/" + name)) << name;
  }
}

}  // namespace
}  // namespace apollo
