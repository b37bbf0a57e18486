"""tools/contract/generate: fresh output passes, a stale file and each broken rule of the contract are found."""

import json
import shutil

from planted import ROOT, PlantedTestCase

GENERATED = ["src/tandem/base/error_numbers.h", "src/tandem/base/error_table.h", "src/tandem/base/settings_table.h",
             "contract/problem_types.json", "docs/guide/errors.md", "docs/guide/settings.md"]


class Generate(PlantedTestCase):
    def setUp(self):
        super().setUp()
        for path in [*GENERATED, "contract/errors.json", "contract/settings.json"]:
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, self.root / path)
        self.errors = json.loads((ROOT / "contract/errors.json").read_text(encoding="utf-8"))
        self.settings = json.loads((ROOT / "contract/settings.json").read_text(encoding="utf-8"))

    def save(self):
        self.write("contract/errors.json", json.dumps(self.errors))
        self.write("contract/settings.json", json.dumps(self.settings))

    def test_checked_in_files_are_fresh(self):
        self.assert_clean("contract/generate", "--check")

    def test_a_stale_file_is_found_and_repaired(self):
        for path in GENERATED:
            with self.subTest(path):
                good = (self.root / path).read_text(encoding="utf-8")
                self.write(path, good.replace("e", "E", 1))
                self.assert_found("contract/generate", path, "--check")
                self.assert_clean("contract/generate")
                self.assertEqual((self.root / path).read_text(encoding="utf-8"), good)

    def test_a_missing_file_is_found(self):
        (self.root / GENERATED[0]).unlink()
        self.assert_found("contract/generate", GENERATED[0], "--check")

    def test_a_new_error_reaches_every_output(self):
        error = {"number": 65000, "name": "planted_error", "family": "internal", "title": "planted", "meaning": "Planted.",
                 "action": "None.", "retryable": False, "http_status": 599}
        self.errors["errors"].append(error)
        self.save()
        self.assert_clean("contract/generate")
        for path, text in [("src/tandem/base/error_numbers.h", "kPlantedError{65000}"), ("src/tandem/base/error_table.h", "kPlantedError,"),
                           ("contract/problem_types.json", "urn:tandem:error:planted_error"), ("docs/guide/errors.md", "65000 planted_error")]:
            self.assertIn(text, (self.root / path).read_text(encoding="utf-8"))

    def test_broken_errors_are_refused(self):
        for change, message in [
            ({"number": self.errors["errors"][1]["number"]}, "the number stands twice"),
            ({"name": self.errors["errors"][1]["name"]}, "the name stands twice"),
            ({"name": "BadName"}, "the name is not snake_case"),
            ({"family": "sorrow"}, "unknown family sorrow"),
            ({"retryable": "no"}, "retryable is not a boolean"),
            ({"title": "ends with a stop."}, "the title ends with a full stop"),
            ({"action": "no stop"}, "action is not a sentence"),
            ({"exit_code": 126}, "exit_code not in 1..125"),
            ({"http_status": 200}, "is not an error status"),
            ({"colour": "red"}, "unknown ['colour']"),
        ]:
            with self.subTest(message):
                saved = dict(self.errors["errors"][-1])
                self.errors["errors"][-1].update(change)
                self.save()
                self.assert_found("contract/generate", message)
                self.errors["errors"][-1] = saved

    def test_numbers_must_rise(self):
        self.errors["errors"].reverse()
        self.save()
        self.assert_found("contract/generate", "numbers must rise")

    def test_broken_settings_are_refused(self):
        index = next(i for i, s in enumerate(self.settings["settings"]) if s["type"] == "duration")
        for change, message in [
            ({"default": "-1ms"}, "is outside its limits"),
            ({"default": "5"}, "has no unit ms"),
            ({"name": "nodot"}, "the name is not group.snake_case"),
            ({"name": self.settings["settings"][0]["name"]}, "the name stands twice"),
            ({"type": "colour"}, "unknown type colour"),
            ({"default": 5}, "the default must be a text"),
            ({"meaning": "no stop"}, "meaning is not a sentence"),
        ]:
            with self.subTest(message):
                saved = dict(self.settings["settings"][index])
                self.settings["settings"][index].update(change)
                self.save()
                self.assert_found("contract/generate", message)
                self.settings["settings"][index] = saved

    def test_a_duplicate_key_is_refused(self):
        self.write("contract/settings.json", '{"settings": [], "settings": []}')
        self.assert_found("contract/generate", "duplicate key")
