"""tools/lint sees each planted way round the seams, and leaves honest code alone."""

from planted import ROOT, PlantedTestCase

FILE = "src/tandem/compute/solve/x.cc"
GOOD_HEADER = "// tandem/base/id.h - ids.\n#pragma once\n"

VIOLATIONS = [
    ("clock", "auto t = std::chrono::steady_clock::now();"),
    ("clock", "auto t = Clock_clock :: now();"),
    ("clock", "auto t = time(nullptr);"),
    ("clock", "auto t = std::time(0);"),
    ("clock", "clock_gettime(CLOCK_MONOTONIC, &ts);"),
    ("sleep", "std::this_thread::sleep_for(1ms);"),
    ("sleep", "usleep(10);"),
    ("wait", "changed_.wait_for(lock, left);"),
    ("wait", "changed->wait_until(lock, end, [&] { return done; });"),
    ("wait", "future.wait_for (left);"),
    ("thread", "std::thread t([] {});"),
    ("thread", "std::jthread t([] {});"),
    ("thread", "auto f = std::async(g);"),
    ("process", "if (fork() == 0) return;"),
    ("process", 'std::system("ls");'),
    ("process", "posix_spawn(&pid, path, &actions, nullptr, argv, environment);"),
    ("environment", 'auto* home = std::getenv("HOME");'),
    ("socket", "int fd = socket(AF_INET, SOCK_STREAM, 0);"),
    ("socket", "::connect(fd, address, size);"),
    ("entropy", "std::random_device device;"),
    ("entropy", "int x = rand();"),
    ("entropy", "int x = std::rand();"),
    ("generator", "std::mt19937_64 engine(1);"),
    ("generator", "std::uniform_int_distribution<int> d(0, 1);"),
    ("file", 'FILE* f = fopen("x", "r");'),
    ("file", 'std::ifstream in("x");'),
    ("file", 'std::ofstream out("x");'),
    ("file", 'int fd = ::open("x", O_RDONLY);'),
    ("file", 'int fd = open("x", O_RDONLY);'),
    ("file", 'return open("x", O_RDONLY | O_CLOEXEC);'),
    ("socket", "return accept(fd, nullptr, nullptr);"),
    ("clock", "return time(nullptr) > 0;"),
    ("file", 'bool there = std::filesystem::exists("x");'),
    ("output", "std::cout << 1;"),
    ("output", 'printf("x");'),
    ("exit", "std::exit(1);"),
    ("exit", "abort();"),
    ("assert", "assert(x > 0);"),
    ("curl", "curl_easy_init();"),
    ("sqlite", "sqlite3_open(path, &db);"),
    ("boost", "#include <boost/asio.hpp>"),
    ("sqlite", "#include <sqlite3.h>"),
    ("yaml", "#include <yaml-cpp/yaml.h>"),
    ("openssl", "#include <openssl/evp.h>"),
    ("todo", "// TODO make it faster"),
    ("todo", "// TODO(): make it faster"),
    ("todo", "// FIXME: later"),
]

HONEST = [
    "void wait_for(Duration left);",
    "gate.wait_for_arrivals(1); changed_.wait(lock);",
    "// std::thread, time(nullptr), fopen( and std::cout stand in a comment",
    'const char* kText = "std::getenv(HOME) and printf(x) stand in a string";',
    'const char* kRaw = R"(socket(1) " rand() )";',
    "auto t = clock.now(); auto u = clock->now();",
    "file.open(path); stream->open(path); Store::open(path);",
    "double time_limit(int); double elapsed_time(x); auto s = job.time(0);",
    "Result<void> open(const std::string& path); std::unique_ptr<File> open(int); bool listen(int); void exit(int);",
    "std::this_thread::get_id(); int thousand = 1'000; auto r = operand(2);",
    "static_assert(sizeof(int) == 4);",
    "TANDEM_ASSERT(x > 0);",
    "strand(1); connect(a, b); runtime(0);",
    "// TODO(when GCC 13 is the floor): use <format>",
]


class Lint(PlantedTestCase):
    def setUp(self):
        super().setUp()
        self.write("src/tandem/base/id.h", GOOD_HEADER)
        (self.root / "apps").mkdir()

    def test_the_real_house_passes(self):
        self.root = ROOT
        self.assert_clean("lint")

    def test_each_way_round_a_seam_is_found(self):
        for rule, text in VIOLATIONS:
            with self.subTest(rule=rule, text=text):
                self.write(FILE, "\n" + text + "\n")
                self.assert_found("lint", f"[{rule}]")
                self.assert_found("lint", f"{FILE}:2:")

    def test_honest_code_is_left_alone(self):
        for text in HONEST:
            with self.subTest(text):
                self.write(FILE, text + "\n")
                self.assert_clean("lint")

    def test_the_seams_themselves_may(self):
        self.write("src/tandem/base/clock_real.cc", "auto t = std::chrono::steady_clock::now();\n")
        self.write("src/tandem/base/executor_real.cc", "std::jthread t;\n")
        self.write("src/tandem/net/client/curl.cc", "#include <curl/curl.h>\nint x = curl_easy_perform(h);\n")
        self.write("src/tandem/net/server/beast.cc", "#include <boost/asio.hpp>\n")
        self.write("apps/tandem/main.cc", "int main() { std::cout << 1; }\n")
        self.assert_clean("lint")

    def test_an_application_may_not_go_round_the_clock(self):
        self.write("apps/tandem/main.cc", "auto t = std::chrono::system_clock::now();\n")
        self.assert_found("lint", "[clock]")

    def test_a_test_may_open_files_but_not_sleep(self):
        self.write("src/tandem/base/id.test.cc", 'std::ifstream in("x");\nstd::thread t;\n')
        self.assert_clean("lint")
        self.write("src/tandem/base/id.test.cc", "std::this_thread::sleep_for(1ms);\n")
        self.assert_found("lint", "[sleep]")

    def test_a_header_needs_its_opening_and_pragma_once(self):
        self.write("src/tandem/base/x.h", "#pragma once\n")
        self.assert_found("lint", "[opening]")
        self.write("src/tandem/base/x.h", "// tandem/base/y.h - another file.\n#pragma once\n")
        self.assert_found("lint", "[opening]")
        self.write("src/tandem/base/x.h", "// tandem/base/x.h - a file.\n")
        self.assert_found("lint", "[pragma_once]")
        self.write("src/tandem/base/x.h",
                   "// GENERATED from contract/x.json by tools/contract/generate. Do not edit.\n// tandem/base/x.h - a file.\n#pragma once\n")
        self.assert_clean("lint")

    def test_kernels_of_several_instruction_sets_see_no_inline_functions_of_others(self):
        self.write("src/tandem/compute/solve/x_kernels.h",
                   "// tandem/compute/solve/x_kernels.h - kernels.\n#pragma once\n#include <cstdint>\n")
        self.write("src/tandem/compute/solve/x.isa.cc", '#include "tandem/compute/solve/x_kernels.h"\n#include <immintrin.h>\n')
        self.assert_clean("lint")
        self.write("src/tandem/compute/solve/x.isa.cc", "#include <algorithm>\n")
        self.assert_found("lint", "[kernels]")
        self.write("src/tandem/compute/solve/x.isa.cc", '#include "tandem/base/id.h"\n')
        self.assert_found("lint", "[kernels]")

    def test_functions_whose_last_bit_differs_between_machines_are_found_where_results_are_bytes(self):
        kernel = "src/tandem/compute/statevector/x.cc"
        for call in ("std::sin(x)", "cos(x)", "std::exp2(x)", "std::atan2(y, x)", "sinf(x)", "std::pow(x, 2)", "std::polar(1.0, x)", "log(x)"):
            with self.subTest(call):
                self.write(kernel, f"double f(double x) {{ return {call}; }}\n")
                self.assert_found("lint", "[libm]")
        self.write(kernel, "double f(double x) { return sin_cos(x).sin + std::sqrt(x) + std::abs(x) + std::ldexp(x, 2) + own.exp(x); }\n")
        self.assert_clean("lint")
        self.write("src/tandem/hybrid/x.cc", "double f(double x) { return std::log2(x); }\n")
        self.assert_clean("lint")

    def test_long_files_are_found(self):
        self.write("src/tandem/base/x.h", "// tandem/base/x.h - a file.\n#pragma once\n" + "\n" * 299)
        self.assert_found("lint", "301 lines, the limit is 300")
        self.write("src/tandem/base/x.h", "// tandem/base/x.h - a file.\n#pragma once\n" + "\n" * 298)
        self.write("src/tandem/base/x.cc", "\n" * 601)
        self.assert_found("lint", "601 lines, the limit is 600")

    def test_file_names_are_snake_case(self):
        self.write("src/tandem/base/FakeClock.cc", "\n")
        self.assert_found("lint", "[file_name]")
