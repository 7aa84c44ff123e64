"""How good things are: formulae (`metrics`), one run (`run`), many runs and models (`bench`)."""
