"""tools/check_layers sees each planted violation and nothing else."""

from planted import ROOT, PlantedTestCase

LAYERS = """# comment
base                       : fmt::fmt
model/problem              :
compute/solve              :
middleware/adapter/acme    :
"""


def header(path: str, space: str, body: str = "", includes: tuple = ()) -> str:
    lines = [f"// tandem/{path} - a header.", "#pragma once", *[f'#include "{i}"' for i in includes]]
    return "\n".join([*lines, f"namespace {space} {{", "struct S {};", body, f"}}  // namespace {space}", ""])


class CheckLayers(PlantedTestCase):
    def setUp(self):
        super().setUp()
        self.write("layers.txt", LAYERS)
        self.write("src/tandem/base/id.h", header("base/id.h", "tandem"))
        self.write("src/tandem/model/problem/bqm.h", header("model/problem/bqm.h", "tandem::problem", includes=("tandem/base/id.h",)))
        self.write("src/tandem/compute/solve/anneal.cc", '#include "tandem/model/problem/bqm.h"\n#include <vector>\n')

    def test_a_clean_house_passes(self):
        self.assert_clean("check_layers")

    def test_the_real_house_passes(self):
        self.root = ROOT
        self.assert_clean("check_layers")

    def test_an_include_that_goes_up_is_found(self):
        self.write("src/tandem/compute/solve/x.h", header("compute/solve/x.h", "tandem::solve"))
        self.write("src/tandem/base/id.cc", '\n#include "tandem/compute/solve/x.h"\n')
        self.assert_found("check_layers", "src/tandem/base/id.cc:2: base may not include compute/solve")

    def test_an_include_in_a_comment_or_a_string_is_not_an_include(self):
        self.write("src/tandem/compute/solve/x.h", header("compute/solve/x.h", "tandem::solve"))
        self.write("src/tandem/base/id.cc", '// #include "tandem/compute/solve/x.h"\n/*\n#include "tandem/compute/solve/x.h"\n*/\n')
        self.assert_clean("check_layers")

    def test_a_test_may_include_everything(self):
        self.write("src/tandem/compute/solve/x.h", header("compute/solve/x.h", "tandem::solve"))
        self.write("src/tandem/base/id.test.cc", '#include "tandem/compute/solve/x.h"\n')
        self.assert_clean("check_layers")

    def test_a_test_double_that_goes_up_is_found(self):
        self.write("src/tandem/compute/solve/x.h", header("compute/solve/x.h", "tandem::solve"))
        self.write("src/tandem/base/testing/fake.h",
                   header("base/testing/fake.h", "tandem::testing", includes=("tandem/compute/solve/x.h",)))
        self.assert_found("check_layers", "base may not include compute/solve")

    def test_shipped_code_that_includes_a_test_double_is_found(self):
        self.write("src/tandem/base/testing/fake.h", header("base/testing/fake.h", "tandem"))
        self.write("src/tandem/compute/solve/tabu.cc", '#include "tandem/base/testing/fake.h"\n')
        self.assert_found("check_layers", '"tandem/base/testing/fake.h" is for tests only')

    def test_an_application_may_include_everything_but_test_doubles(self):
        self.write("apps/tandem/main.cc", '#include "tandem/model/problem/bqm.h"\n')
        self.assert_clean("check_layers")
        self.write("src/tandem/base/testing/fake.h", header("base/testing/fake.h", "tandem"))
        self.write("apps/tandem/main.cc", '#include "tandem/base/testing/fake.h"\n')
        self.assert_found("check_layers", "apps/tandem/main.cc:1:")

    def test_an_application_includes_its_own_headers_from_beside(self):
        self.write("apps/tandem/cli.h", "#pragma once\n")
        self.write("apps/tandem/main.cc", '#include "cli.h"\n')
        self.assert_clean("check_layers")
        self.write("apps/tandem/main.cc", '#include "gone.h"\n')
        self.assert_found("check_layers", '"gone.h" does not exist beside it')

    def test_a_cycle_of_headers_is_found(self):
        self.write("src/tandem/base/a.h", header("base/a.h", "tandem", includes=("tandem/base/b.h",)))
        self.write("src/tandem/base/b.h", header("base/b.h", "tandem", includes=("tandem/base/c.h",)))
        self.write("src/tandem/base/c.h", header("base/c.h", "tandem", includes=("tandem/base/a.h",)))
        self.assert_found("check_layers", "include cycle: src/tandem/base/a.h -> src/tandem/base/b.h -> src/tandem/base/c.h -> src/tandem/base/a.h")

    def test_an_unlisted_folder_is_found(self):
        self.write("src/tandem/model/weather/w.cc", "\n")
        self.assert_found("check_layers", "src/tandem/model/weather:1: the folder has sources but no line in layers.txt")

    def test_a_part_without_sources_is_found_only_when_strict(self):
        self.assert_found("check_layers", "part middleware/adapter/acme has no sources", "--strict")

    def test_a_part_named_twice_is_found(self):
        self.write("layers.txt", LAYERS + "base :\n")
        self.assert_found("check_layers", "layers.txt:6: part base stands twice")

    def test_an_unreadable_line_is_found(self):
        self.write("layers.txt", LAYERS + "Base fmt\n")
        self.assert_found("check_layers", "cannot read 'Base fmt'")

    def test_a_missing_header_and_a_short_path_are_found(self):
        self.write("src/tandem/base/id.cc", '#include "tandem/base/gone.h"\n#include "id.h"\n')
        self.assert_found("check_layers", '"tandem/base/gone.h" does not exist')
        self.assert_found("check_layers", '"id.h": include by the full path')

    def test_a_foreign_namespace_is_found(self):
        self.write("src/tandem/model/problem/cqm.h", header("model/problem/cqm.h", "tandem::solve"))
        self.assert_found("check_layers", "namespace tandem::solve in part model/problem")

    def test_a_header_outside_any_namespace_is_found(self):
        self.write("src/tandem/model/problem/cqm.h", "// tandem/model/problem/cqm.h - x.\n#pragma once\nstruct Loose {};\n")
        self.assert_found("check_layers", "declares nothing in namespace tandem::problem")

    def test_a_forward_declaration_of_a_lower_part_is_fine(self):
        self.write("src/tandem/compute/solve/x.h",
                   "#pragma once\nnamespace tandem::problem {\nclass Bqm;\n}\n" + header("compute/solve/x.h", "tandem::solve"))
        self.assert_clean("check_layers")

    def test_nested_namespaces_are_fine(self):
        self.write("src/tandem/base/errors.h", header("base/errors.h", "tandem::errors"))
        self.write("src/tandem/compute/solve/y.h", header("compute/solve/y.h", "tandem::solve", "namespace detail {\nint f();\n}"))
        self.assert_clean("check_layers")

    def test_a_vendor_name_is_found_outside_its_rooms_only(self):
        for text in ("struct IonQBackend {};", "int ibm_shots;", "MyIbm x;", "// like D-Wave does", 'const char* kUrl = "https://braket";'):
            with self.subTest(text):
                self.write("src/tandem/middleware/adapter/acme/c.cc", text + "\n")
                self.write("src/tandem/compute/solve/v.cc", "\n")
                self.assert_clean("check_layers")
                self.write("src/tandem/compute/solve/v.cc", text + "\n")
                self.assert_found("check_layers", "vendor name")
