"""A file system that is small enough to be filled. Needs a mount, so root; TANDEM_SMALL_DISK may name a mounted file system of 4 to 64 MiB instead."""

import os
import pathlib
import subprocess
import tempfile
import unittest

SIZE_KIB = 6144


class SmallDisk:
    """A mounted file system of SIZE_KIB, until close()."""

    def __init__(self):
        self.given = os.environ.get("TANDEM_SMALL_DISK")
        self.path = pathlib.Path(self.given or tempfile.mkdtemp(prefix="tandem-disk-"))
        if not self.given:
            done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE_KIB}k", "tandem-test", str(self.path)], capture_output=True, text=True)
            if done.returncode != 0:
                self.path.rmdir()
                raise unittest.SkipTest(f"cannot mount a small disk here ({done.stderr.strip()}); run as root or set TANDEM_SMALL_DISK")

    def close(self):
        if not self.given:
            subprocess.run(["umount", "-l", str(self.path)], check=True)
            self.path.rmdir()

    def fill(self, leave_kib=0):
        """Leaves about so much free."""
        with open(self.path / "ballast", "ab", buffering=0) as ballast:
            while True:
                status = os.statvfs(self.path)
                free = status.f_bavail * status.f_frsize - leave_kib * 1024
                if free <= 0:
                    return
                try:
                    ballast.write(b"\0" * min(free, 65536))
                except OSError:
                    return

    def free(self):
        (self.path / "ballast").unlink(missing_ok=True)
