"""The purity rules object to clocks, chance, I/O and floats, under whatever name."""

import pytest

from architecture.purity_rules import (
    MODULES,
    NAMES,
    floating_point,
    impure_imports,
    impure_names,
    is_float_free,
    is_pure,
)
from architecture.sources import parse

FOLD = "projections/replica_group.py"


@pytest.mark.parametrize("module", sorted(MODULES))
def test_each_banned_module_is_a_fault_and_names_its_replacement(module: str) -> None:
    for text in (f"import {module}", f"import {module} as m", f"from {module} import x"):
        (fault,) = impure_imports(parse(FOLD, text))
        assert fault.what == f"{module} in a pure part; {MODULES[module]}"


def test_numpy_is_for_placement() -> None:
    assert len(impure_imports(parse(FOLD, "import numpy as np"))) == 1
    assert impure_imports(parse("projections/placement.py", "import numpy as np")) == []
    assert impure_imports(parse("osd/core/node.py", "import numpy as np")) == []


def test_modules_that_only_begin_alike_are_no_fault() -> None:
    text = "import timeline\nfrom datetime import timedelta\nimport hashlib"
    assert impure_imports(parse(FOLD, text)) == []


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("hash(x)", "hash"),
        ("sorted(x, key=hash)", "hash"),
        ("id(x)", "id"),
        ("with open('f') as f: pass", "open"),
        ("print(1)", "print"),
        ("import numpy as np\nnp.random.default_rng()", "numpy.random"),
        ("import os\nos.urandom(8)", "os.urandom"),
        ("from os import urandom as luck\nluck(8)", "os.urandom"),
        ("from datetime import datetime\ndatetime.now()", "datetime.datetime.now"),
        ("import datetime as d\nd.datetime.utcnow()", "datetime.datetime.utcnow"),
        ("from datetime import date\ndate.today()", "datetime.date.today"),
    ],
)
def test_each_banned_name_is_a_fault_and_names_its_replacement(text: str, name: str) -> None:
    (fault,) = impure_names(parse(FOLD, text))
    assert fault.what == f"{name} in a pure part; {NAMES[name]}"


@pytest.mark.parametrize(
    "text",
    [
        "event.hash",
        "rows.open()",
        "call(id=3)",
        "from datetime import datetime\ndatetime.fromtimestamp(micros)",
        "class A:\n    id: int",
    ],
)
def test_names_that_only_look_alike_are_no_fault(text: str) -> None:
    assert impure_names(parse(FOLD, text)) == []


@pytest.mark.parametrize(
    "text",
    [
        "x = 0.5",
        "x = 1e3",
        "x = a / b",
        "x /= 2",
        "x = float(3)",
        "def f(x: float) -> int: ...",
        "import math\nmath.log2(x)",
        "from math import ceil\nceil(x)",
        "x.astype(np.float64)",
    ],
)
def test_floating_point_is_a_fault(text: str) -> None:
    (fault,) = floating_point(parse(FOLD, text))
    assert fault.what.endswith(
        "count in integers of a small unit and divide by //: floats differ by machine"
    )


@pytest.mark.parametrize("text", ["x = 10 // 3", "import math\nmath.isqrt(9)", "x = '0.5 / 2'"])
def test_integers_are_no_fault(text: str) -> None:
    assert floating_point(parse(FOLD, text)) == []


@pytest.mark.parametrize(
    ("path", "pure", "float_free"),
    [
        ("eventlog/ids.py", True, False),
        ("eventlog/sqlite.py", False, False),
        ("projections/plans.py", True, True),
        ("projections/progress.py", True, False),
        ("projections/audit/facts.py", False, False),
        ("osd/core/claims.py", True, False),
        ("osd/core_of_things.py", False, False),
        ("osd/node.py", False, False),
    ],
)
def test_which_files_are_pure(path: str, pure: bool, float_free: bool) -> None:
    source = parse(path, "")
    assert (is_pure(source), is_float_free(source)) == (pure, float_free)
