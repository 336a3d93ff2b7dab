"""The engines that captions come from; a new one is a module and a row here."""

from tuneclip.data.engines import bedrock, openai
from tuneclip.data.engines.engine import Engine

ENGINES: dict[str, Engine] = {
    "openai": Engine(openai.model, openai.ask),
    "bedrock": Engine(bedrock.model, bedrock.ask),
}
