"""Training by SGD in integers: rules that an auditor runs again, and that circuits prove.

    rule = rule_of("linear-sgd-fixed/1", "zeros/1", {"centre": [3, -7], "rate_bits": 2})
    state = rule.initial(seed)
    state = rule.step(state, [(40, 12, 1000), (-5, 90, -20)])
    rule.shape(rows=2, unroll=1).name            step-linear-2x2-r2.v1

docs/spec/replay.md states the rules in words, docs/spec/circuits/step.md what is proved of them.
"""

from provenance.sgd.models import Model
from provenance.sgd.rule import Rule, rule_of, tolerance_of
from provenance.sgd.shape import StepShape

__all__ = ["Model", "Rule", "StepShape", "rule_of", "tolerance_of"]
