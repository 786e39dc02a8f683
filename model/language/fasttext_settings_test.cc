#include "model/language/fasttext_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace apollo {
namespace {

using ::testing::StartsWith;

TEST(FastTextSettingsTest, ReadsLabelsAndTemperatures) {
  const auto settings = FastTextSettings::Parse(
      "# c\nlabel __label__eng_Latn en\r\nlabel __label__zxx -\n"
      "temperature 10 1.5\ntemperature 40 1.1\n",
      "m.settings");
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ(settings->languages.at("__label__eng_Latn"), "en");
  EXPECT_EQ(settings->languages.at("__label__zxx"), "");
  EXPECT_EQ(settings->TemperatureFor(9), 1.0);
  EXPECT_EQ(settings->TemperatureFor(10), 1.5);
  EXPECT_EQ(settings->TemperatureFor(39), 1.5);
  EXPECT_EQ(settings->TemperatureFor(1000), 1.1);
}

TEST(FastTextSettingsTest, ErrorsNameTheLine) {
  for (const char* line :
       {"label a", "label a b c", "lable a b", "temperature x 1",
        "temperature -1 1", "temperature 1 nan", "temperature 1 0",
        "temperature 1 1e9", "x"}) {
    const auto settings =
        FastTextSettings::Parse(std::string("\n") + line, "m.settings");
    ASSERT_FALSE(settings.ok()) << line;
    EXPECT_THAT(std::string(settings.status().message()),
                StartsWith("m.settings:2: "));
  }
  EXPECT_FALSE(FastTextSettings::Parse("label a b\nlabel a c", "m").ok());
  EXPECT_FALSE(
      FastTextSettings::Parse("temperature 1 1\ntemperature 1 2", "m").ok());
}

}  // namespace
}  // namespace apollo
