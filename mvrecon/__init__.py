"""Video or photos in; cameras, dense depth, a coloured mesh and a report out."""

import logging

__version__ = "0.1.0"

# Silent in other people's programs, until they ask for it; the command line shows it.
logging.getLogger(__name__).addHandler(logging.NullHandler())
