#include "serving/service_manager.h"

#include <gtest/gtest.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "common/temp_folder.h"
#include "serving/fake_service_manager.h"

namespace apollo {
namespace {

TEST(ServiceManagerTest, SendsToAPathOrAnAbstractName) {
  // In a sandbox, another process may have the same id and share /tmp.
  const TempFolder folder;
  for (const std::string& name :
       {folder.path() + "/notify",
        "@apollo-notify-" + std::to_string(getpid())}) {
    FakeServiceManager manager(name);
    EXPECT_TRUE(NotifyServiceManager(kServiceReady).ok());
    EXPECT_TRUE(NotifyServiceManager(kServiceStopping).ok());
    EXPECT_EQ(manager.Receive(), "READY=1");
    EXPECT_EQ(manager.Receive(), "STOPPING=1");
    EXPECT_EQ(manager.Receive(), "");
  }
}

TEST(ServiceManagerTest, WithoutAManagerItDoesNothing) {
  unsetenv("NOTIFY_SOCKET");
  EXPECT_TRUE(NotifyServiceManager(kServiceReady).ok());
  setenv("NOTIFY_SOCKET", "", 1);
  EXPECT_TRUE(NotifyServiceManager(kServiceReady).ok());
}

TEST(ServiceManagerTest, ErrorsNameTheSocket) {
  for (const std::string& name :
       {std::string("vsock:2:1"), std::string("relative"),
        "/" + std::string(sizeof(sockaddr_un::sun_path), 'x')}) {
    setenv("NOTIFY_SOCKET", name.c_str(), 1);
    const absl::Status status = NotifyServiceManager(kServiceReady);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_NE(std::string(status.message()).find(name), std::string::npos);
  }
  setenv("NOTIFY_SOCKET", "/nowhere/notify", 1);
  const absl::Status status = NotifyServiceManager(kServiceReady);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(std::string(status.message()),
            "NOTIFY_SOCKET is \"/nowhere/notify\": No such file or directory");
  unsetenv("NOTIFY_SOCKET");
}

}  // namespace
}  // namespace apollo
