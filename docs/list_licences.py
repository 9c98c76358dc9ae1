"""Print the licence of every package that an installed stylehead needs, as a table.

python docs/list_licences.py
"""

from __future__ import annotations

import re
from importlib.metadata import Distribution, PackageNotFoundError, distribution, requires

CLASSIFIER = "License :: "
LONG = 60  # characters; beyond them a field holds the licence's text


def needed(name: str, found: dict[str, Distribution]) -> dict[str, Distribution]:
    """Return the distributions that one needs, directly or not, by name; extras are left out."""
    for requirement in requires(name) or ():
        if "extra ==" in requirement:
            continue
        other = re.split(r"[^\w.-]", requirement, maxsplit=1)[0].lower()
        if other in found:
            continue
        try:
            found[other] = distribution(other)
        except PackageNotFoundError:  # for another system or Python
            continue
        needed(other, found)
    return found


def licence(package: Distribution) -> str:
    """Return the licence as a package states it, shortest form first."""
    about = package.metadata.json
    classified = [
        line.rsplit(" :: ", 1)[1]
        for line in about.get("classifier", ())
        if line.startswith(CLASSIFIER)
    ]
    stated = str(about.get("license", "")).strip().partition("\n")[0][:LONG]
    choices = (str(about.get("license_expression", "")), ", ".join(classified), stated)
    return next((each for each in choices if each), "not stated")


def main() -> None:
    """Print one line a package."""
    for name, package in sorted(needed("stylehead", {}).items()):
        print(f"{name} {package.version}: {licence(package)}")


if __name__ == "__main__":
    main()
