"""Runs atheris: `fuzz.py TARGET`, and then what its fuzzer libFuzzer takes. In the environment that `test_fuzz.py` makes."""

from __future__ import annotations

import logging
import sys

import atheris

with atheris.instrument_imports(include=["tap_lexer_activity"]):
    from proof.targets import TARGETS

if __name__ == "__main__":
    logging.disable()
    target = TARGETS[sys.argv.pop(1)]
    atheris.Setup(sys.argv, target)
    atheris.Fuzz()
