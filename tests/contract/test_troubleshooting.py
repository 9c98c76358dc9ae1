"""Every message a user can meet has a heading in docs/troubleshooting.md."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

from stylehead import errors
from tests.contract.trees import tree

ROOT = Path(__file__).resolve().parents[2]
RAISED = {
    name
    for name, value in vars(errors).items()
    if inspect.isclass(value) and issubclass(value, errors.StyleheadError)
}
HOLE = "\N{BULLET}"


def words(text: str) -> set[str]:
    """The words of a message or heading that are not filled in at run time."""
    return {
        word for word in re.findall(r"[A-Za-z']+", text) if not word.isupper() or word == "CUDA"
    }


def messages() -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for path in sorted((ROOT / "stylehead").rglob("*.py")):
        for node in ast.walk(tree(path)):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
                continue
            if node.func.id not in RAISED or not node.args:
                continue
            if isinstance(node.args[0], ast.Attribute):
                continue  # what another process raised, passed on
            text = ast.unparse(node.args[0])
            if isinstance(node.args[0], ast.JoinedStr):
                parts = node.args[0].values
                text = "".join(
                    str(part.value) if isinstance(part, ast.Constant) else HOLE for part in parts
                )
            found.append((path.name, text.strip("'\"")))
    return found


def test_every_error_message_has_a_heading_in_troubleshooting() -> None:
    text = (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8")
    headings = [words(line[4:]) for line in text.splitlines() if line.startswith("### ")]
    all_messages = messages()
    assert len(all_messages) > 30
    for place, message in all_messages:
        fixed = words(message.replace(HOLE, " "))
        # A heading may leave out a plural or an optional part, no more.
        close = [heading for heading in headings if len(fixed ^ heading) <= 3 and fixed & heading]
        assert close, f"{place}: {message}"


def test_every_class_of_errors_is_raised_somewhere() -> None:
    source = "".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "stylehead").rglob("*.py")
    )
    for name in RAISED - {"StyleheadError"}:
        assert f"raise {name}(" in source or f"return {name}(" in source, name


def sentences() -> list[set[str]]:
    """The words of every text in the code that is long enough to be said."""
    found: list[set[str]] = []
    for path in sorted((ROOT / "stylehead").rglob("*.py")):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.JoinedStr):
                parts = [str(p.value) for p in node.values if isinstance(p, ast.Constant)]
                found.append(words(" ".join(parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(words(node.value))
    return found


def test_no_heading_in_troubleshooting_is_of_a_message_that_is_gone() -> None:
    text = (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8")
    said = sentences()
    for line in text.splitlines():
        if line.startswith("### "):
            heading = words(line[4:]) - {"Note"}
            # A message may be put together of two texts, and a heading speak of one case.
            near = [each for each in said if len(heading & each) >= 0.6 * len(heading)]
            assert near, f"nothing in the code says: {line}"
