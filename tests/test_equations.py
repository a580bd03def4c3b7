"""docs/equations.md: every equation has a function, every name leads to one, each says what it computes."""

import importlib
import pathlib
import re

import pytest

ROWS = [
    line.strip().strip("|").split(" | ")
    for line in (pathlib.Path(__file__).parents[1] / "docs" / "equations.md").read_text("utf-8").splitlines()
    if line.startswith("| ") and not line.startswith("| equation |")
]
NAME = re.compile(r"`(udas_tf\.[\w.]+)`")
NAMES = sorted({name for row in ROWS for name in NAME.findall(row[1])})

# The left-hand sides of docs/equations.md, section by section.
SYMBOLS = (
    "L(G,F,D_s,D_t)", "L_GAN", "L_cyc", "L_identity",
    "L_seg^p", "L_seg^a", "L_seg ", "L_adv^p", "L_adv^a", "L_adv ", "L_kl", "L_total", "λ_seg", "λ_adv",
    "r_x", "r_w = W√(1−λ)", "x̃", "ỹ",
    "maximum confidence map", "0.6", "L_consistency", "IoU_i", "mIoU",
)  # fmt: skip


def resolve(name):
    """The object of a dotted name: the longest importable module, then attributes."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for attribute in parts[length:]:
            found = getattr(found, attribute)
        return found
    raise ModuleNotFoundError(name)


@pytest.mark.parametrize("name", NAMES)
def test_name_resolves_and_is_documented(name):
    found = resolve(name)
    assert callable(found), f"{name} is no function"
    # Keras's classes would lend theirs: it must be the object's own.
    documentation = vars(found).get("__doc__") if isinstance(found, type) else found.__doc__
    documentation = documentation or getattr(getattr(found, "python_function", None), "__doc__", None)
    assert documentation and documentation.strip(), f"{name} has no docstring"


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_every_equation_of_the_method_is_there(symbol):
    assert any(symbol in row[0] for row in ROWS)


def test_every_row_names_a_function():
    assert len(ROWS) > 30
    for row in ROWS:
        assert len(row) == 2 and NAME.search(row[1]), row
