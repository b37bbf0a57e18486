"""Figures that programs gave, and the files of bench/results/ that keep them: what ran, on which machine."""

import datetime
import json
import math
import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Failed(Exception):
    """A figure cannot be had."""


def figure(document, key, source):
    """A figure that a program gave. One that is missing, not a number or not above zero is none."""
    value = document.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value <= 0:
        raise Failed(f"{source} gave no figure '{key}': {json.dumps(document)[:400]}")
    return float(value)


def benchmarks(text):
    """What Google Benchmark printed as JSON, by the names of the benchmarks."""
    found = {}
    for entry in json.loads(text)["benchmarks"]:
        if entry.get("error_occurred"):
            raise Failed(f"{entry['name']}: {entry.get('error_message')}")
        found[entry["name"].split("/iterations")[0]] = entry
    return found


def counter_of(found):
    """The counters of benchmarks, by name; one that is missing is a failure."""
    return lambda name, key: figure(found.get(name, {}), key, f"the benchmark {name}")


def processor():
    """What this machine computes on; times are compared only where it is the same."""
    text = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8")
    words = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in text.splitlines())}
    return {"cpu": words.get("model name", ""), "cpu_family": words.get("cpu family", ""), "cpu_model": words.get("model", "")}


def commit():
    """Of the sources, with a word where they differ from it; rows that this run wrote are no difference."""
    def git(*words):
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
    changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!bench/results")
    return git("describe", "--always") + ("-dirty" if changed else "")


def machine():
    return {**processor(), "processors": os.cpu_count(), "tandem": commit(), "date": datetime.date.today().isoformat(), "load": os.getloadavg()[0]}


def put_row(path, row, names, timed):
    """Into the file, in the place of the row that has the same `names` on the same model of processor. `timed` says what is."""
    model = processor().keys()

    def key(one):
        return [one[name] for name in names] + [one["machine"][name] for name in model]
    rows = json.loads(path.read_text(encoding="utf-8"))["rows"] if path.exists() else []
    at = next((i for i, one in enumerate(rows) if key(one) == key(row)), len(rows))
    rows[at:at + 1] = [row]
    path.parent.mkdir(parents=True, exist_ok=True)
    written = path.with_suffix(".part")
    written.write_text(json.dumps({"timed": timed, "rows": rows}, indent=1) + "\n", encoding="utf-8")
    written.replace(path)
