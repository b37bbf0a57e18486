"""The build itself, on a planted house of two parts: headers must stand alone, warnings can be errors, tests are found by place."""

import shutil
import subprocess

from planted import ROOT, PlantedTestCase

HEADER = "// tandem/base/id.h - ids.\n#pragma once\n{include}namespace tandem {{\ninline std::string id() {{ return {{}}; }}\n}}\n"
TEST = '#include <gtest/gtest.h>\n#include <cstdlib>\nTEST(Id, finds_its_data) {{ EXPECT_NE(std::getenv("TANDEM_TEST_DATA"), nullptr); }}\n'


class Build(PlantedTestCase):
    def setUp(self):
        super().setUp()
        for path in ("CMakeLists.txt", "CMakePresets.json"):
            shutil.copy(ROOT / path, self.root / path)
        for path in ("cmake", "tools/testing"):
            shutil.copytree(ROOT / path, self.root / path)
        self.write("layers.txt", "base         : Threads::Threads\nmodel/absent :\ncompute/solve :\n")
        self.write("src/tandem/base/id.h", HEADER.format(include="#include <string>\n"))
        self.write("src/tandem/compute/solve/tabu.cc", '#include "tandem/base/id.h"\nint tabu() { return 1; }\n')

    def cmake(self, *arguments):
        done = subprocess.run(["cmake", *arguments], cwd=self.root, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def configure(self, *options):
        status, output = self.cmake("--preset", "release", "-DTANDEM_PCH=OFF", *options)
        self.assertEqual(status, 0, output)

    def check_headers(self):
        done = subprocess.run([ROOT / "tools/check_headers", "build/release", "--root", self.root], cwd=self.root,
                              capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def build(self, target):
        return self.cmake("--build", "build/release", "--target", target)

    def test_a_header_that_stands_alone_passes_and_one_that_does_not_is_found(self):
        self.configure()
        self.assertEqual(self.check_headers(), (0, "headers: 1 stand alone\n"))
        self.write("src/tandem/base/id.h", HEADER.format(include=""))
        status, output = self.check_headers()
        self.assertNotEqual(status, 0)
        self.assertIn("id.h", output)

    def test_a_header_behind_a_common_one_sees_only_what_it_brings_along_itself(self):
        result = "// tandem/base/result.h - results.\n#pragma once\n#include <string>\nnamespace tandem {\nusing Text = std::string;\n}\n"
        self.write("src/tandem/base/result.h", result)
        self.write("src/tandem/base/id.h", HEADER.format(include='#include "tandem/base/result.h"\n'))
        self.configure()
        self.assertEqual(self.check_headers(), (0, "headers: 2 stand alone\n"))
        self.write("src/tandem/base/id.h", HEADER.format(include=""))
        status, output = self.check_headers()
        self.assertNotEqual(status, 0)
        self.assertIn("1 of 2 headers do not stand alone", output)
        self.write("src/tandem/base/id.h", HEADER.format(include='#include "tandem/base/result.h"\n').replace("std::string id", "std::vector<int> id"))
        status, output = self.check_headers()
        self.assertNotEqual(status, 0)
        self.assertIn("vector", output)

    def test_kernels_are_compiled_for_each_instruction_set_under_its_name(self):
        self.write("src/tandem/compute/solve/sum.isa.cc",
                   "namespace tandem::solve::TANDEM_ISA {\n"
                   "float sum(const float* x) { float s = 0; for (int i = 0; i < 64; ++i) s += 2 * x[i]; return s; }\n}\n")
        self.configure()
        status, output = self.build("tandem_compute_solve")
        self.assertEqual(status, 0, output)
        library = self.root / "build/release/libtandem_compute_solve.a"
        code = subprocess.run(["objdump", "-dC", library], capture_output=True, text=True, check=True).stdout
        for isa, register in (("portable", "%xmm"), ("avx2", "%ymm"), ("avx512", "%zmm")):
            start = code.index(f"<tandem::solve::{isa}::sum(float const*)>:")
            self.assertIn(register, code[start : code.find("\n\n", start)], isa)

    def test_warnings_are_errors_when_asked(self):
        self.write("src/tandem/compute/solve/tabu.cc", "int tabu(long x) { return x; }\n")
        self.configure()
        status, output = self.build("tandem_compute_solve")
        self.assertEqual(status, 0, output)
        self.assertIn("-Wconversion", output)
        self.configure("-DTANDEM_WERROR=ON")
        status, output = self.build("tandem_compute_solve")
        self.assertNotEqual(status, 0)
        self.assertIn("-Werror=conversion", output)

    def test_an_absent_part_is_skipped_and_appears_with_its_first_file(self):
        self.configure()
        _, targets = self.cmake("--build", "build/release", "--target", "help")
        self.assertNotIn("tandem_model_absent", targets)
        self.write("src/tandem/model/absent/value.cc", "int value() { return 1; }\n")
        self.configure()
        status, output = self.build("tandem_model_absent")
        self.assertEqual(status, 0, output)

    def test_tests_and_fuzzers_stand_beside_the_code(self):
        self.write("src/tandem/base/id.test.cc", TEST.format())
        self.write("src/tandem/base/id.fuzz.cc",
                   '#include <cstdint>\n#include <cstdlib>\nextern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {\n'
                   "  if (size > 3 && data[0] == 'B' && data[1] == 'A' && data[2] == 'D') std::abort();\n  return 0;\n}\n")
        self.write("tests/e2e/test_binary.py",
                   'import os, unittest\nclass T(unittest.TestCase):\n    def test_it(self):\n        self.assertIn("TANDEM_BINARY", os.environ)\n')
        self.configure()
        status, output = self.build("all")
        self.assertEqual(status, 0, output)
        ctest = ["ctest", "--test-dir", "build/release", "--output-on-failure"]
        done = subprocess.run(ctest, cwd=self.root, capture_output=True, text=True, check=False)
        for name in ("base.Id.finds_its_data", "base.fuzz_replay.id", "e2e.test_binary", "100% tests passed, 0 tests failed out of 3"):
            self.assertIn(name, done.stdout)
        self.write("src/tandem/base/id.fuzz.corpus/crash", "BAD input")
        done = subprocess.run(ctest, cwd=self.root, capture_output=True, text=True, check=False)
        self.assertIn("base.fuzz_replay.id", done.stdout.split("The following tests FAILED")[1])

    def test_an_unknown_external_is_refused(self):
        self.write("layers.txt", "base : Vendor::Surprise\n")
        status, output = self.cmake("--preset", "release", "-DTANDEM_PCH=OFF")
        self.assertNotEqual(status, 0)
        self.assertIn("external target 'Vendor::Surprise' is unknown", output)
