"""Write flow.md: `mvrecon bench flow`, its tables beside this file.

python -m benchmarks.flow --root DATA --model dis,raft-small,mvflow --weights raft-small=FILE
"""

from __future__ import annotations

import sys
from pathlib import Path

from mvrecon.cli import main

TABLE = Path(__file__).with_suffix(".md")

if __name__ == "__main__":
    # The command stands in the table as it was given, so that it is put where it is read from.
    sys.argv[1:1] = ["bench", "flow", "--markdown", str(TABLE)]
    sys.exit(main())
