#include "tandem/net/server/event_stream.h"

#include <gtest/gtest.h>

namespace tandem::server {
namespace {

TEST(EventStream, fields_are_written_as_the_standard_says) {
  EXPECT_EQ(format_event({.id = "7", .type = "job", .data = "{\"a\":1}"}), "id: 7\nevent: job\ndata: {\"a\":1}\n\n");
  EXPECT_EQ(format_event({.id = "", .type = "", .data = "x"}), "data: x\n\n");
  EXPECT_EQ(format_event({.id = "7", .type = "", .data = ""}), "id: 7\ndata: \n\n");
}

TEST(EventStream, every_line_of_the_data_becomes_a_field_so_that_data_cannot_forge_one) {
  EXPECT_EQ(format_event({.id = "", .type = "", .data = "a\nb"}), "data: a\ndata: b\n\n");
  EXPECT_EQ(format_event({.id = "", .type = "", .data = "a\r\nid: 9"}), "data: a\ndata: id: 9\n\n");
  EXPECT_EQ(format_event({.id = "", .type = "", .data = "a\rb\n\nc\n"}),
            "data: a\ndata: b\ndata: \ndata: c\ndata: \n\n");
}

TEST(EventStream, line_breaks_in_id_and_type_are_dropped) {
  EXPECT_EQ(format_event({.id = "7\ndata: x", .type = "j\r\nob", .data = ""}), "id: 7data: x\nevent: job\ndata: \n\n");
}

TEST(EventStream, a_heartbeat_is_a_comment) { EXPECT_EQ(format_heartbeat(), ":\n\n"); }

}  // namespace
}  // namespace tandem::server
