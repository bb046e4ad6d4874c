"""What holds for every test."""

from hypothesis import settings

# How fast an example runs is a matter for benchmarks: a busy machine must not fail a property.
settings.register_profile("sekisho", deadline=None)
settings.load_profile("sekisho")
