"""Asks a database of known vulnerabilities about the versions of constraints.txt: `make audit`.

Exit status: 0 none is known, 1 some are, 2 not all could be looked up, as without a network.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOUND, NOT_LOOKED_UP = 1, 2


def main() -> int:
    """Run pip-audit, and do not take its silence for a clean bill."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(ROOT / "constraints.txt")]
    command += ["--no-deps", "--disable-pip", "--progress-spinner=off", "--format=json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        reason = (done.stderr.strip().splitlines() or ["no answer"])[-1]
        print(f"not audited, as the database cannot be asked: {reason}", file=sys.stderr)
        return NOT_LOOKED_UP
    for package in packages:
        for found in package.get("vulns", ()):
            mended = ", ".join(found["fix_versions"]) or "no version yet"
            print(f"{package['name']} {package['version']}: {found['id']}, mended in {mended}")
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    print(f"{len(packages) - len(skipped)} of {len(packages)} packages looked up")
    if any(package.get("vulns") for package in packages):
        return FOUND
    if skipped:
        print(
            f"{len(skipped)} could not be looked up ({', '.join(skipped[:3])}, …): the database "
            "cannot be reached, or does not know them",
            file=sys.stderr,
        )
    return NOT_LOOKED_UP if skipped else 0


if __name__ == "__main__":
    sys.exit(main())
