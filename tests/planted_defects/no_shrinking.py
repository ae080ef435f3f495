"""A pytest plugin for the planted defects: it counts that an example is found, not that it is small."""

from hypothesis import Phase, settings

settings.register_profile("no-shrinking", phases=[Phase.explicit, Phase.generate])
settings.load_profile("no-shrinking")
