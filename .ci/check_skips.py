"""Fail when a test was skipped that is not on the committed list.

Usage: python .ci/check_skips.py JUNIT_XML ALLOWED_SKIPS
Each line of the list is a pattern (as for file names) on `test-id: reason`; `#` starts a comment.
"""

import sys
import xml.etree.ElementTree as ElementTree
from fnmatch import fnmatchcase
from pathlib import Path


def skipped_tests(junit: Path) -> list[str]:
    """Return `test-id: reason` of every skipped test in a JUnit file."""
    found = []
    for case in ElementTree.parse(junit).iter("testcase"):
        for skipped in case.iter("skipped"):
            if skipped.get("type") == "pytest.xfail":
                continue
            name = ".".join(part for part in (case.get("classname"), case.get("name")) if part)
            found.append(f"{name}: {skipped.get('message', '')}")
    return found


def patterns(listing: Path) -> list[str]:
    """Return the patterns of a list of allowed skips."""
    lines = (line.split("#", 1)[0].strip() for line in listing.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line]


def main() -> int:
    """Print the skips that are not allowed, and return 1 if there are any."""
    junit, listing = map(Path, sys.argv[1:3])
    skips, allowed = skipped_tests(junit), patterns(listing)
    bad = [skip for skip in skips if not any(fnmatchcase(skip, pattern) for pattern in allowed)]
    for skip in bad:
        print(f"skipped, and not in {listing}: {skip}", file=sys.stderr)
    print(f"skips: {len(skips)}, of which not allowed: {len(bad)}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
