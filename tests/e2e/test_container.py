"""The Containerfile installs what the program loads: every shared library that it is linked with, or opens, is in a package of its last stage."""

import os
import re
import subprocess
import unittest

from support import BINARY, ROOT, late_libraries

DEBIAN_SLIM = {"libc6", "libgcc-s1", "libstdc++6"}  # in the base image


class Container(unittest.TestCase):
    def test_the_last_stage_installs_the_package_of_every_library(self):
        if not os.path.exists("/usr/bin/dpkg"):
            self.skipTest("packages are looked up with dpkg")
        last = (ROOT / "Containerfile").read_text().split("\nFROM ")[-1]
        installed = set(re.search(r"apt-get install ([^&]*)", last).group(1).replace("\\", " ").split())
        dynamic = subprocess.run(["readelf", "-d", BINARY], check=True, capture_output=True, text=True).stdout
        libraries = re.findall(r"\(NEEDED\).*\[(\S+)\]", dynamic)
        self.assertIn("libsqlite3.so.0", libraries)
        opened = late_libraries()
        self.assertEqual(set(opened), {"libpq.so.5", "libcurl.so.4", "liblapack.so.3"})
        for package, _ in opened.values():  # what the message says that names it
            self.assertIn(package, installed)
        for library in [*libraries, *opened]:
            if library.startswith(("libasan", "libtsan", "libubsan")):
                continue  # of a sanitizer's build, which is not installed
            owners = subprocess.run(["dpkg", "-S", f"*/{library}"], check=True, capture_output=True, text=True).stdout
            packages = {line.split(":")[0] for line in owners.splitlines()}
            self.assertTrue(packages & (installed | DEBIAN_SLIM), f"{library} is of {packages}, which the Containerfile does not install")


if __name__ == "__main__":
    unittest.main()
