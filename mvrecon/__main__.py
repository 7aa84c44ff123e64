"""`python -m mvrecon` is `mvrecon`."""

import sys

from mvrecon.cli import main

sys.exit(main())
