"""How hard do the property tests try? `ci` for every run, `long` by hand: HYPOTHESIS_PROFILE=long."""

import os

from hypothesis import HealthCheck, settings

COMMON = settings(
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)

settings.register_profile("ci", parent=COMMON, max_examples=200)
settings.register_profile("long", parent=COMMON, max_examples=20_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))
