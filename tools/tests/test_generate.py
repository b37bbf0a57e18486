"""tools/contract/generate: fresh output passes, a stale file and each broken rule of the contract are found."""

import copy
import json
import shutil

from planted import ROOT, PlantedTestCase

GENERATED = ["src/tandem/base/error_numbers.h", "src/tandem/base/error_table.h", "src/tandem/base/settings_table.h",
             "contract/problem_types.json", "docs/guide/errors.md", "docs/guide/settings.md",
             "src/tandem/model/job/event_table.h", "docs/guide/events.md"]
KEPT = ["contract/errors.json", "contract/settings.json", "contract/events.json", "contract/openapi.yaml"]
SCHEMAS = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "contract/schemas").glob("*.schema.json"))


class Generate(PlantedTestCase):
    def setUp(self):
        super().setUp()
        for path in [*GENERATED, *KEPT, *SCHEMAS]:
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, self.root / path)
        self.errors = json.loads((ROOT / "contract/errors.json").read_text(encoding="utf-8"))
        self.settings = json.loads((ROOT / "contract/settings.json").read_text(encoding="utf-8"))
        self.events = json.loads((ROOT / "contract/events.json").read_text(encoding="utf-8"))

    def save(self):
        self.write("contract/errors.json", json.dumps(self.errors))
        self.write("contract/settings.json", json.dumps(self.settings))
        self.write("contract/events.json", json.dumps(self.events))

    def read(self, path):
        return (self.root / path).read_text(encoding="utf-8")

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

    def test_the_values_of_a_setting_reach_every_output(self):
        level = next(s for s in self.settings["settings"] if s["name"] == "log.level")
        level["values"].append("planted")
        self.save()
        self.assert_clean("contract/generate")
        self.assertIn("|planted\"", self.read("src/tandem/base/settings_table.h"))
        self.assertIn(", planted |", self.read("docs/guide/settings.md"))

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
            ({"values": ["a"]}, "values are for the types string and url"),
            ({"type": "url"}, "a url needs its schemes"),
            ({"type": "string", "values": ["Two Words"]}, "values are not different lower-case words"),
            ({"type": "string", "values": ["a", "b"]}, "the default is none of its values"),
        ]:
            with self.subTest(message):
                saved = dict(self.settings["settings"][index])
                self.settings["settings"][index].update(change)
                self.save()
                self.assert_found("contract/generate", message)
                self.settings["settings"][index] = saved

    def test_a_new_event_reaches_every_output(self):
        self.events["events"].append({"type": "job.planted", "meaning": "planted", "data": {"colour": {"type": ["string", "null"], "meaning": "red"}}})
        self.save()
        self.assert_found("contract/generate", "job.planted", "--check")
        self.assert_clean("contract/generate")
        self.assertIn('{"colour", "string|null"}', self.read("src/tandem/model/job/event_table.h"))
        self.assertIn("| `colour` | string or null | red |", self.read("docs/guide/events.md"))

    def test_broken_events_are_refused(self):
        member = {"type": "string", "meaning": "planted"}
        for change, message in [
            ({"type": self.events["events"][1]["type"]}, "the type stands twice"),
            ({"type": "JobQueued"}, "the type is not subject.what_happened"),
            ({"meaning": "Ends with a stop."}, "the meaning is empty or ends with a full stop"),
            ({"data": "sorrow"}, "there is no data set sorrow"),
            ({"data": {"Colour": member}}, "the member 'Colour' is not snake_case"),
            ({"data": {"colour": {"type": "text", "meaning": "red"}}}, "colour has no JSON type: text"),
            ({"data": {"colour": {"type": "string"}}}, "colour needs type and meaning"),
            ({"data": {}}, "expected an object of members"),
            ({"colour": "red"}, "expected type, meaning and data"),
        ]:
            with self.subTest(message):
                saved = copy.deepcopy(self.events)
                self.events["events"][0].update(change)
                self.save()
                self.assert_found("contract/generate", message)
                self.events = saved
        self.events["data_sets"]["planted"] = {"colour": member}
        self.save()
        self.assert_found("contract/generate", "data sets that no event uses: ['planted']")

    def test_a_changed_schema_makes_the_openapi_document_stale(self):
        text = self.read("contract/schemas/event.schema.json")
        self.write("contract/schemas/event.schema.json", text.replace('"date-time"', '"date"'))
        self.assert_found("contract/generate", "contract/openapi.yaml", "--check")
        self.assert_clean("contract/generate")
        self.assertIn("format: date\n", self.read("contract/openapi.yaml"))

    def test_a_changed_component_is_stale_and_the_hand_kept_part_is_not(self):
        good = self.read("contract/openapi.yaml")
        self.write("contract/openapi.yaml", good.replace("title: Plan\n", "title: Plain\n"))
        self.assert_found("contract/generate", "title: Plain", "--check")
        kept = good.replace("summary: Jobs, newest first.", "summary: Jobs.")
        self.assertNotEqual(kept, good)
        self.write("contract/openapi.yaml", kept)
        self.assert_clean("contract/generate", "--check")

    def test_broken_schemas_are_refused(self):
        name = "contract/schemas/event.schema.json"
        good = json.loads(self.read(name))
        for change, message in [
            ({"$schema": "https://example.com/draft"}, "event.schema.json: $schema is not"),
            ({"title": ""}, "event.schema.json: there is no title"),
            ({"$defs": {"Colour": {"type": "string"}}}, "a file of its own, not $defs"),
            ({"properties": {"job_id": {"$ref": "#/$defs/JobId"}}}, "$ref #/$defs/JobId names no file"),
            ({"properties": {"job_id": {"$ref": "sorrow.schema.json"}}}, "$ref sorrow.schema.json names no file"),
        ]:
            with self.subTest(message):
                self.write(name, json.dumps({**good, **change}))
                self.assert_found("contract/generate", message)
        self.write(name, json.dumps(good))
        (self.root / "contract/schemas/job_page.schema.json").unlink()
        self.assert_found("contract/generate", "openapi.yaml: no file of contract/schemas for ['JobPage']")

    def test_an_openapi_document_without_the_marked_block_is_refused(self):
        self.write("contract/openapi.yaml", "openapi: 3.1.0\n")
        self.assert_found("contract/generate", "openapi.yaml: expected one block between")
        (self.root / "contract/openapi.yaml").unlink()
        self.assert_found("contract/generate", "openapi.yaml")

    def test_a_duplicate_key_is_refused(self):
        self.write("contract/settings.json", '{"settings": [], "settings": []}')
        self.assert_found("contract/generate", "duplicate key")
