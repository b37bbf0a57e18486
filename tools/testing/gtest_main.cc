// tools/testing/gtest_main.cc - main() of every test_<part>: GoogleMock's, with failures of unexpected calls spelled out.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

int main(int argc, char** argv) {
  testing::InitGoogleMock(&argc, argv);
  return RUN_ALL_TESTS();
}
