"""What a bot with the shipped runbook loads: the file, and CEL only when somebody asks for a diagnosis."""

from __future__ import annotations

import subprocess
import sys
from importlib import resources

from bot.runbook.file import loader
from bot.settings.runbook_pod import SHIPPED

SCRIPT = """
import sys
from bot.settings.model import Settings
from bot.wiring.books import Books
books = Books(Settings().targets)
books.prepare()
[book] = books.values()
assert book.diagnoses
print("cel_expr_python" in sys.modules)
print(book.diagnoses["crash"].causes[1].proof.evaluate({}))
print("cel_expr_python" in sys.modules)
"""


def test_cel_is_loaded_at_the_first_evaluation() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n") == ["False", "exists: false", "True", ""]


def test_no_expression_of_a_shipped_runbook_loops_over_lines_with_filter() -> None:
    """CEL's `filter` copies its result at each line: ten thousand hostile ones would hold the bot for seconds."""
    for name in loader.shipped_names():
        text = resources.files(SHIPPED).joinpath(f"{name}.yaml").read_text("utf-8")
        assert "lines.filter(" not in text
