#include "tandem/net/server/stream_buffer.h"

#include <gtest/gtest.h>

namespace tandem::server {
namespace {

using Appended = StreamBuffer::Appended;

TEST(StreamBuffer, one_flush_is_asked_for_until_the_buffer_was_found_empty) {
  StreamBuffer buffer(100);
  EXPECT_EQ(buffer.append("a"), Appended::kFirst);
  EXPECT_EQ(buffer.append("b"), Appended::kScheduled);
  EXPECT_EQ(buffer.take().bytes, "ab");
  EXPECT_EQ(buffer.append("c"), Appended::kScheduled);  // "ab" is on the wire; its completion takes again
  EXPECT_EQ(buffer.take().bytes, "c");
  EXPECT_EQ(buffer.take().bytes, "");
  EXPECT_EQ(buffer.append("d"), Appended::kFirst);
}

TEST(StreamBuffer, bytes_on_the_wire_count_until_they_are_sent) {
  StreamBuffer buffer(3);
  EXPECT_EQ(buffer.append("ab"), Appended::kFirst);
  EXPECT_EQ(buffer.take().bytes, "ab");
  EXPECT_EQ(buffer.append("c"), Appended::kScheduled);
  EXPECT_EQ(buffer.append("d"), Appended::kTooSlow);
  EXPECT_EQ(buffer.append("d"), Appended::kRefused) << "a stream with a hole must not go on";

  EXPECT_EQ(buffer.take().bytes, "c") << "what was taken is still sent";
  const auto last = buffer.take();
  EXPECT_TRUE(last.finished);
  EXPECT_TRUE(last.cut);

  StreamBuffer sent(3);
  EXPECT_EQ(sent.append("abc"), Appended::kFirst);
  EXPECT_EQ(sent.take().bytes, "abc");
  EXPECT_EQ(sent.take().bytes, "");
  EXPECT_EQ(sent.append("def"), Appended::kFirst);
  EXPECT_EQ(StreamBuffer(3).append("abcd"), Appended::kTooSlow);
}

TEST(StreamBuffer, who_waits_for_the_buffer_to_drain_is_told_once_when_it_is_empty_or_over) {
  StreamBuffer buffer(100);
  int drained = 0;
  EXPECT_EQ(buffer.append("a"), Appended::kFirst);
  EXPECT_FALSE(buffer.on_drained([&] { ++drained; })) << "a flush is on its way";
  EXPECT_TRUE(buffer.take().drained.empty()) << "the bytes are only now on the wire";
  auto empty = buffer.take();
  ASSERT_EQ(empty.drained.size(), 1u);
  EXPECT_TRUE(buffer.take().drained.empty());
  EXPECT_TRUE(buffer.on_drained([&] { ++drained; })) << "nothing is on its way, so a flush must find that out";
  EXPECT_EQ(buffer.end().size(), 1u);
  EXPECT_FALSE(buffer.on_drained([&] { ++drained; }));
  EXPECT_EQ(drained, 1) << "over already: at once";
}

TEST(StreamBuffer, finish_keeps_what_was_written_and_refuses_more) {
  StreamBuffer buffer(100);
  EXPECT_EQ(buffer.append("a"), Appended::kFirst);
  EXPECT_TRUE(buffer.finish());
  EXPECT_FALSE(buffer.finish());
  EXPECT_EQ(buffer.append("b"), Appended::kRefused);
  const auto last = buffer.take();
  EXPECT_EQ(last.bytes, "a");
  EXPECT_TRUE(last.finished);
  EXPECT_FALSE(last.cut);
}

TEST(StreamBuffer, every_end_task_runs_once_whether_registered_before_or_after_the_end) {
  StreamBuffer buffer(100);
  int early = 0;
  int late = 0;
  buffer.on_end([&] { ++early; });
  for (Task& task : buffer.end()) task();
  EXPECT_TRUE(buffer.end().empty());
  buffer.on_end([&] { ++late; });
  EXPECT_EQ(early, 1);
  EXPECT_EQ(late, 1);
  EXPECT_EQ(buffer.append("a"), Appended::kRefused);
  EXPECT_FALSE(buffer.finish());
}

}  // namespace
}  // namespace tandem::server
