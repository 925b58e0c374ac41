"""`.openinspect/config.yml` of the default branch, read strictly."""

from .effective import Effective, effective
from .keys import CONFIG_PATH
from .problem import ConfigProblem
from .reading import config_problems, read_config
from .repo_config import DEFAULTS, RepoConfig, plan_from

__all__ = [
    "CONFIG_PATH",
    "DEFAULTS",
    "ConfigProblem",
    "Effective",
    "RepoConfig",
    "config_problems",
    "effective",
    "plan_from",
    "read_config",
]
