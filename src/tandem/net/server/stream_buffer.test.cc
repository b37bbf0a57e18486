#include "tandem/net/server/stream_buffer.h"

#include <gtest/gtest.h>

namespace tandem::server {
namespace {

using Appended = StreamBuffer::Appended;
using Then = StreamBuffer::Then;

SharedBytes shared(std::string_view text) { return std::make_shared<const Bytes>(text); }

/// What is taken, as text; empty for nothing.
Bytes text(const StreamBuffer::Taken& taken) { return taken.bytes == nullptr ? Bytes() : *taken.bytes; }

TEST(StreamBuffer, one_flush_is_asked_for_until_the_buffer_was_found_empty) {
  StreamBuffer buffer(100);
  EXPECT_EQ(buffer.append("a"), Appended::kFirst);
  EXPECT_EQ(buffer.append("b"), Appended::kScheduled);
  EXPECT_EQ(text(buffer.take()), "ab");
  EXPECT_EQ(buffer.append("c"), Appended::kScheduled);  // "ab" is on the wire; its completion takes again
  EXPECT_EQ(text(buffer.take()), "c");
  EXPECT_EQ(text(buffer.take()), "");
  EXPECT_EQ(buffer.append("d"), Appended::kFirst);
}

TEST(StreamBuffer, bytes_on_the_wire_count_until_they_are_sent) {
  StreamBuffer buffer(3);
  EXPECT_EQ(buffer.append("ab"), Appended::kFirst);
  EXPECT_EQ(text(buffer.take()), "ab");
  EXPECT_EQ(buffer.append("c"), Appended::kScheduled);
  EXPECT_EQ(buffer.append("d"), Appended::kTooSlow);
  EXPECT_EQ(buffer.append("d"), Appended::kRefused) << "a stream with a hole must not go on";

  EXPECT_EQ(text(buffer.take()), "c") << "what was taken is still sent";
  const auto last = buffer.take();
  EXPECT_TRUE(last.finished);
  EXPECT_TRUE(last.cut);

  StreamBuffer sent(3);
  EXPECT_EQ(sent.append("abc"), Appended::kFirst);
  EXPECT_EQ(text(sent.take()), "abc");
  EXPECT_EQ(text(sent.take()), "");
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
  EXPECT_EQ(text(last), "a");
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

TEST(StreamBuffer, shared_bytes_are_sent_as_they_are_in_their_order_among_copies) {
  StreamBuffer buffer(100);
  const SharedBytes page = shared("page");
  EXPECT_EQ(buffer.append("a"), Appended::kFirst);
  EXPECT_EQ(buffer.append("b"), Appended::kScheduled);
  EXPECT_EQ(buffer.append(page, Then::kMore), Appended::kScheduled);
  EXPECT_EQ(buffer.append("c"), Appended::kScheduled);
  EXPECT_EQ(buffer.append(page, Then::kMore), Appended::kScheduled);
  EXPECT_EQ(text(buffer.take()), "ab");
  EXPECT_EQ(buffer.take().bytes, page);
  EXPECT_EQ(text(buffer.take()), "c");
  EXPECT_EQ(buffer.append("d"), Appended::kScheduled);
  EXPECT_EQ(buffer.take().bytes, page);
  EXPECT_EQ(text(buffer.take()), "d");
  EXPECT_EQ(buffer.take().bytes, nullptr);
  EXPECT_EQ(*page, "page");
}

TEST(StreamBuffer, an_empty_write_sends_nothing) {
  StreamBuffer buffer(100);
  EXPECT_EQ(buffer.append(""), Appended::kFirst);
  EXPECT_EQ(buffer.append(shared(""), Then::kMore), Appended::kScheduled);
  EXPECT_EQ(buffer.take().bytes, nullptr) << "a chunk without bytes would end the response";
}

TEST(StreamBuffer, the_end_travels_with_the_last_bytes) {
  StreamBuffer buffer(100);
  EXPECT_EQ(buffer.append("a"), Appended::kFirst);
  EXPECT_EQ(buffer.append(shared("b"), Then::kFinish), Appended::kScheduled);
  EXPECT_EQ(buffer.append("c"), Appended::kRefused);
  EXPECT_FALSE(buffer.take().finished) << "b follows";
  const auto last = buffer.take();
  EXPECT_EQ(text(last), "b");
  EXPECT_TRUE(last.finished);
}

TEST(StreamBuffer, what_is_unsent_is_counted_for_each_stream_until_it_is_sent) {
  StreamBuffer buffer(4);
  EXPECT_EQ(buffer.append(shared("abc"), Then::kMore), Appended::kFirst);
  EXPECT_EQ(buffer.append("d"), Appended::kScheduled);
  EXPECT_EQ(buffer.unsent(), 4u);
  (void)buffer.take();
  EXPECT_EQ(buffer.unsent(), 4u) << "on the wire is not sent";
  (void)buffer.take();
  EXPECT_EQ(buffer.unsent(), 1u);
  (void)buffer.take();
  EXPECT_EQ(buffer.unsent(), 0u);
  EXPECT_EQ(buffer.append(shared("abcde"), Then::kMore), Appended::kTooSlow);
  (void)buffer.end();
  EXPECT_EQ(buffer.unsent(), 0u);
}

}  // namespace
}  // namespace tandem::server
