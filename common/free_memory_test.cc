#include "common/free_memory.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace apollo {
namespace {

constexpr std::int64_t kGigabyte = std::int64_t{1} << 30;

// A folder in place of the system's files.
class FreeMemoryTest : public testing::Test {
 protected:
  FreeMemoryTest() {
    std::filesystem::remove_all(root_);
    // 8 GiB.
    Write("/proc/meminfo",
          "MemTotal:  16777216 kB\nMemFree: 1000 kB\n"
          "MemAvailable:    8388608 kB\n");
  }
  void Write(const std::string& path, const std::string& text) {
    std::filesystem::create_directories(
        std::filesystem::path(root_ + path).parent_path());
    std::ofstream(root_ + path) << text;
  }
  const std::string root_ = testing::TempDir() + "/free_memory";
};

TEST_F(FreeMemoryTest, WithoutGroupsIsThatOfTheMachine) {
  EXPECT_EQ(FreeMemory(root_), 8 * kGigabyte);
}

TEST_F(FreeMemoryTest, AGroupMayAllowLess) {
  Write("/proc/self/cgroup", "0::/\n");
  Write("/sys/fs/cgroup/memory.max", "2147483648\n");
  Write("/sys/fs/cgroup/memory.current", "1610612736\n");
  Write("/sys/fs/cgroup/memory.stat", "anon 5\ninactive_file 536870912\n");
  EXPECT_EQ(FreeMemory(root_), kGigabyte);
}

// A model file that was read before is mostly active, and as droppable.
TEST_F(FreeMemoryTest, AllPagesOfFilesCountAsFree) {
  Write("/proc/self/cgroup", "0::/\n");
  Write("/sys/fs/cgroup/memory.max", "4294967296\n");
  Write("/sys/fs/cgroup/memory.current", "4294967296\n");
  Write("/sys/fs/cgroup/memory.stat",
        "active_anon 7\ninactive_file 1073741824\nactive_file 2147483648\n");
  EXPECT_EQ(FreeMemory(root_), 3 * kGigabyte);
  Write("/proc/self/cgroup", "4:memory:/a\n");
  Write("/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "4294967296\n");
  Write("/sys/fs/cgroup/memory/a/memory.usage_in_bytes", "4294967296\n");
  Write("/sys/fs/cgroup/memory/a/memory.stat",
        "active_file 1\ntotal_inactive_file 1073741824\n"
        "total_active_file 1073741824\n");
  EXPECT_EQ(FreeMemory(root_), 2 * kGigabyte);
}

TEST_F(FreeMemoryTest, GroupsThatContainTheGroupCount) {
  Write("/proc/self/cgroup", "0::/a/b\n");
  Write("/sys/fs/cgroup/a/b/memory.max", "max\n");
  Write("/sys/fs/cgroup/a/b/memory.current", "0\n");
  Write("/sys/fs/cgroup/a/memory.max", "3221225472\n");
  Write("/sys/fs/cgroup/a/memory.current", "0\n");
  EXPECT_EQ(FreeMemory(root_), 3 * kGigabyte);
}

TEST_F(FreeMemoryTest, ReadsVersionOneToo) {
  Write("/proc/self/cgroup", "5:cpu:/x\n4:memory:/a\n");
  Write("/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "2147483648\n");
  Write("/sys/fs/cgroup/memory/a/memory.usage_in_bytes", "2147483649\n");
  EXPECT_EQ(FreeMemory(root_), 0);
}

TEST_F(FreeMemoryTest, VersionOneWithoutALimitAllowsAll) {
  Write("/proc/self/cgroup", "4:memory:/\n");
  Write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  Write("/sys/fs/cgroup/memory/memory.usage_in_bytes", "0\n");
  // Read a moment later.
  Write("/sys/fs/cgroup/memory/memory.stat", "total_inactive_file 1048576\n");
  EXPECT_EQ(FreeMemory(root_), 8 * kGigabyte);
}

// The path of a container's group on the machine, while the container sees only
// its own.
TEST_F(FreeMemoryTest, AGroupThatIsNotThereIsThatOfTheMount) {
  Write("/proc/self/cgroup", "4:memory:/docker/abc\n");
  Write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "2147483648\n");
  Write("/sys/fs/cgroup/memory/memory.usage_in_bytes", "0\n");
  EXPECT_EQ(FreeMemory(root_), 2 * kGigabyte);
}

TEST_F(FreeMemoryTest, IsUnknownIfTheSystemDoesNotSay) {
  EXPECT_EQ(FreeMemory("/nonexistent"), std::nullopt);
}

TEST(FreeMemoryOfThisMachineTest, IsKnown) {
  const auto free = FreeMemory();
  ASSERT_TRUE(free.has_value());
  EXPECT_GT(*free, 0);
}

}  // namespace
}  // namespace apollo
