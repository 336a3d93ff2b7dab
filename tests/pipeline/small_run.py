"""What the tests of pipelines run: a config by which the tiny model learns the small dataset in two seconds."""

import json

GOOD = {"num_epochs": 8, "learning_rate": 0.002, "batch_size": 12, "precision": "fp32"}
GOOD |= {"interpolate": False, "augment": False}
QUICK = '[encoder]\nuse = "torch" # no graphs for a model of a minute\n'


def settings(**more: object) -> list[str]:
    given = {"dataset": "small", "base_model": "tiny", "model_config": json.dumps(GOOD)} | more
    return [f"{name}={value}" for name, value in given.items()]
