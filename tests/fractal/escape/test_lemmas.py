"""Every error bound is named in a lemma, and every lemma that code cites exists."""

import re
from pathlib import Path

import mandeldask

PACKAGE = Path(mandeldask.__file__).parent
PAGES = [
    Path(__file__).parents[3] / "docs" / "explanation" / name for name in ("exactness.md", "proofs.md", "julia.md")
]
CITED = re.compile(r"Lemmas? ([JP]?\d+)(?:(?:, | and | to )([JP]?\d+))?(?:(?: and | to )([JP]?\d+))?")


def test_every_error_bound_is_named_in_a_lemma():
    text = "".join(page.read_text() for page in PAGES)
    for path in sorted((PACKAGE / "fractal" / "escape").rglob("*.py")):
        for name in re.findall(r"^(\w+): ErrorBound = ", path.read_text(), re.MULTILINE):
            lemma = f"`{name}`" in text and re.search(rf"`{path.stem}(\.py)?`|/{path.stem}\.py`", text)
            assert lemma, f"{path.stem}.{name}"


def test_every_lemma_that_code_cites_exists():
    lemmas = set(re.findall(r"^### Lemma (\w+)$", "".join(page.read_text() for page in PAGES), re.MULTILINE))
    cited = {
        number
        for path in (PACKAGE / "fractal").rglob("*.py")
        for numbers in CITED.findall(path.read_text())
        for number in numbers
        if number
    }
    assert len(cited) > 20
    assert cited <= lemmas
