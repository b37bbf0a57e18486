#include "tandem/base/late_library.h"

#include <gmock/gmock.h>
#include <zlib.h>

namespace tandem {
namespace late {

constinit LateLibrary zlib("libz.so.1", "zlibVersion", "zlib1g");
TANDEM_LATE_FUNCTION(zlib, crc32);

TEST(LateLibrary, its_functions_are_those_of_the_library) {
  ASSERT_TRUE(zlib.open().has_value());
  const Bytef text[] = {'9', '7', '8'};
  EXPECT_EQ(crc32(7, text, 3), ::crc32(7, text, 3));
  EXPECT_NE(crc32(7, text, 3), crc32(8, text, 3));
  EXPECT_TRUE(zlib.open().has_value()) << "again";
}

TEST(LateLibrary, one_that_is_missing_says_what_to_install) {
  LateLibrary library("libtandem-none.so.3", "f", "libnone3");
  const auto opened = library.open();
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error().number, errors::kLibraryMissing);
  EXPECT_THAT(opened.error().to_string(), testing::HasSubstr("libtandem-none.so.3"));
  EXPECT_THAT(opened.error().to_string(), testing::HasSubstr("libnone3"));
}

TEST(LateLibrary, one_that_is_too_old_is_as_good_as_missing) {
  LateLibrary library("libz.so.1", "function_of_next_year", "zlib1g");
  for (int i = 0; i < 2; ++i) {
    const auto opened = library.open();
    ASSERT_FALSE(opened.has_value());
    EXPECT_EQ(opened.error().number, errors::kLibraryMissing);
    EXPECT_THAT(opened.error().to_string(), testing::HasSubstr("function_of_next_year"));
  }
}

TEST(LateLibraryDeathTest, a_function_before_it_is_open_is_a_fault_of_ours) {
  static LateLibrary closed("libz.so.1", "zlibVersion", "zlib1g");
  EXPECT_DEATH(closed.function("crc32"), "assertion");
}

}  // namespace late
}  // namespace tandem
