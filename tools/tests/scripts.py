"""A script of tools/ without a suffix, as a module."""

import importlib.machinery
import importlib.util
import sys

from planted import ROOT


def module(path):
    sys.dont_write_bytecode = True
    loader = importlib.machinery.SourceFileLoader(path.replace("/", "_"), str(ROOT / path))
    out = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(out)
    return out
