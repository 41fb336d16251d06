"""The examples in the docstrings say what happens, and show every public function that can."""

from __future__ import annotations

import doctest
import subprocess
import sys

import numpy as np
import pytest

import stelae
from stelae.client import scoring
from stelae.vectors import maxsim, muvera, pooling, quantize, similarity


@pytest.mark.parametrize("module", [maxsim, muvera, pooling, quantize, similarity])
def test_examples_show_what_happens(module: object) -> None:
    globs = {**vars(module), "np": np}
    tests = doctest.DocTestFinder().find(module, "example", globs=globs)
    assert [doctest.DocTestRunner().run(test).failed for test in tests] == [0] * len(tests)


def test_names_of_the_package_are_those_of_the_client() -> None:
    for name in ("cosine", "maxsim", "maxsim_batch", "sparse_dot"):
        assert getattr(stelae, name) is getattr(scoring, name)


def test_importing_the_functions_does_not_load_numpy() -> None:
    code = "import sys; from stelae.client.scoring import *; print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
