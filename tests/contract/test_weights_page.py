"""docs/weights.md lists exactly what weights.toml lists."""

from pathlib import Path

from stylehead.weights.manifest import WeightsEntry
from stylehead.weights.store import read_manifest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "weights.md"


def row(entry: WeightsEntry) -> str:
    size = "?" if entry.size is None else f"{entry.size / 1e6:.1f}"
    adds = entry.role + ("" if entry.sha256 else " (unverified)")
    cells = (f"`{entry.name}`", entry.profile, size, entry.licence, entry.commercial, adds)
    return f"| {' | '.join(cells)} |"


def test_the_table_of_all_files_is_the_manifest():
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    shown = [line for line in lines if line.startswith("| `")]
    assert shown == [row(entry) for entry in read_manifest().values()]
