#include "tests/privacy/message_values.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <opentelemetry/proto/trace/v1/trace.pb.h>

namespace apollo {
namespace {

using opentelemetry::proto::trace::v1::Span;
using testing::HasSubstr;

TEST(MessageValuesTest, AMessageWithoutValuesHasNone) {
  EXPECT_EQ(ValuesOf(Span()), "");
}

TEST(MessageValuesTest, NamesAttributesEventsAndStatesAreThere) {
  Span span;
  span.set_name("a name");
  span.set_trace_state("a=state");
  span.mutable_status()->set_message("Fiebermärchen");
  auto* attribute = span.add_attributes();
  attribute->set_key("a.key");
  attribute->mutable_value()->set_string_value("кашель");
  auto* event = span.add_events();
  event->set_name("an event");
  event->add_attributes()->mutable_value()->set_bytes_value("\x01\"\n咳");
  span.add_links()->add_attributes()->set_key("a.link");
  const std::string values = ValuesOf(span);
  for (const char* text :
       {"a name\n", "a=state\n", "Fiebermärchen\n", "a.key\nкашель\n",
        "an event\n", "\x01\"\n咳\n", "a.link\n"}) {
    EXPECT_THAT(values, HasSubstr(text));
  }
}

TEST(MessageValuesTest, NumbersOfAListFollowEachOther) {
  Span span;
  auto* list = span.add_attributes()->mutable_value()->mutable_array_value();
  for (const int number : {9, 250, 31}) {
    list->add_values()->set_int_value(number);
  }
  EXPECT_EQ(ValuesOf(span), "9\n250\n31\n");
}

}  // namespace
}  // namespace apollo
