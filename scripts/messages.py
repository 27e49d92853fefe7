"""Render every message that people can get in Slack onto one page, and list what is wrong with them.

`make messages` calls it: it writes build/messages.html, which needs no server, and prints the findings of
`tests/messages/rules.py` that aren't accepted. ``--all`` prints the accepted ones too. ``--mended`` takes those
out of tests/messages/known.txt that are no longer found.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.messages import every, page, rules  # noqa: E402 - the repository's root has to be on the path first

OUT = ROOT / "build" / "messages.html"


def main(arguments: list[str]) -> int:
    """Write the page, print the findings; 1 where one is not accepted."""
    examples = every.examples()
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(page.page(examples), encoding="utf-8")
    found = {one.key: one for example in examples for one in rules.check(example)}
    if "--mended" in arguments:
        rules.write_known(rules.known() & found.keys())
    known = rules.known()
    shown = [one for key, one in found.items() if "--all" in arguments or key not in known]
    for one in shown:
        print(one)
    print(f"{OUT}: {len(examples)} messages, {len(found)} findings, {len(found.keys() & known)} of them accepted")
    return int(bool(found.keys() - known))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
