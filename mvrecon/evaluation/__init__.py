"""How good things are.

- `metrics`: the formulae, and beside them the one list of metrics: what each is called, means, how
  it aggregates, is printed, and which direction is better. A new metric goes here first.
- `run`: one run directory against ground truth (`mvrecon eval`): which frames are compared, the
  reference surface, the table.
- `bench`: many runs and models (`mvrecon bench`): `flow` measures flow models on pairs with truth,
  `posed` the pipeline on posed sets; `benchmarks` says which metrics each benchmark has, `rows`
  holds what was measured, `compare` tells what changed, `page` and `output` show and write it.

`docs/evaluation.md` defines every figure. Nothing here knows the stages: what is measured is given.
"""
