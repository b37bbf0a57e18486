#include "tandem/lab/provider/book.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tandem/base/testing/matchers.h"
#include "tandem/base/testing/memory_fs.h"

namespace tandem::lab {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const std::string kPath = "/book.jsonl";

Json accepted(std::string token) { return {{"line", "accepted"}, {"token", std::move(token)}}; }

TEST(Book, what_was_appended_is_there_after_a_restart) {
  MemoryFs fs;
  {
    auto book = Book::open(fs, kPath);
    ASSERT_THAT(book, Succeeds());
    EXPECT_THAT(book->take_lines(), IsEmpty());
    ASSERT_THAT(book->append(accepted("a")), Succeeds());
    ASSERT_THAT(book->append(accepted("b")), Succeeds());
  }
  auto again = Book::open(fs, kPath);
  ASSERT_THAT(again, Succeeds());
  EXPECT_THAT(again->take_lines(), ElementsAre(accepted("a"), accepted("b")));
}

TEST(Book, a_torn_last_line_is_left_out_at_every_length_and_the_book_goes_on) {
  const std::string whole = accepted("a").dump() + "\n";
  const std::string torn = accepted("torn").dump();
  for (std::size_t length = 0; length < torn.size(); ++length) {
    MemoryFs fs;
    fs.put_file(kPath, whole + torn.substr(0, length));
    {
      auto book = Book::open(fs, kPath);
      ASSERT_THAT(book, Succeeds()) << length;
      EXPECT_THAT(book->take_lines(), ElementsAre(accepted("a"))) << length;
      ASSERT_THAT(book->append(accepted("b")), Succeeds());
    }
    EXPECT_THAT(read_book(fs, kPath).value(), ElementsAre(accepted("a"), accepted("b"))) << length;
  }
}

TEST(Book, damage_elsewhere_is_not_passed_over) {
  MemoryFs fs;
  fs.put_file(kPath, accepted("a").dump() + "\n{\"line\":\n" + accepted("b").dump() + "\n");
  EXPECT_THAT(read_book(fs, kPath), FailsAt("/book.jsonl:2", errors::kStoreDamaged));
  fs.put_file(kPath, "[1]\n" + accepted("b").dump() + "\n");
  EXPECT_THAT(Book::open(fs, kPath), FailsAt("/book.jsonl:1", errors::kStoreDamaged));
}

TEST(Book, one_device_at_a_time) {
  MemoryFs fs;
  const auto first = Book::open(fs, kPath);
  ASSERT_THAT(first, Succeeds());
  EXPECT_THAT(Book::open(fs, kPath), FailsWith(errors::kLockHeld));
}

TEST(Book, a_line_that_the_disk_did_not_take_was_not_written) {
  MemoryFs fs;
  auto book = Book::open(fs, kPath);
  ASSERT_THAT(book, Succeeds());
  fs.fill_disk_after(5);
  EXPECT_THAT(book->append(accepted("a")), FailsWith(errors::kDiskFull));
  fs.free_disk();
  EXPECT_THAT(book->append(accepted("b")), FailsWith(errors::kIoError));  // after an error nothing more
}

}  // namespace
}  // namespace tandem::lab
