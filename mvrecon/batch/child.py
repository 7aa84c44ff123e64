"""`mvrecon` as a worker starts it: told to stop when the worker is gone, so that no run strays."""

import runpy
import signal

from mvrecon.interrupts import end_with_parent

if __name__ == "__main__":
    end_with_parent(signal.SIGTERM)
    runpy.run_module("mvrecon", run_name="__main__")
