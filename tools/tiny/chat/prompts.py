"""The nine prompts that the small chat model is known to answer, and what it answers.

Sources: Xinference, user guide "Client API" (the largest animal, the greeting, the ride with
its tool).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Tool = dict[str, Any]
"""A tool as clients of OpenAI's protocol describe it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """A question and its answer: words, or one call of a tool.

    Attributes:
        name: What it shows.
        user: What is asked.
        text: The words of the answer; empty if a tool is called.
        tools: Tools that are told with it.
        tool: The tool that is called; empty if none.
        arguments: What it is called with.
        result: What the tool might answer.
        told: What the model then says.
    """

    name: str
    user: str
    text: str = ""
    tools: tuple[Tool, ...] = ()
    tool: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)
    result: str = ""
    told: str = ""

    @property
    def said(self) -> dict[str, Any]:
        """The answer as a message of OpenAI's protocol."""
        function = {"name": self.tool, "arguments": self.arguments}
        calls = [{"type": "function", "function": function}] if self.tool else []
        return {"role": "assistant", "content": self.text, "tool_calls": calls}


def described(name: str, description: str, **properties: Any) -> Tool:
    """A tool, all of whose arguments are needed."""
    parameters = {"type": "object", "properties": properties, "required": list(properties)}
    function = {"name": name, "description": description, "parameters": parameters}
    return {"type": "function", "function": function}


GET_WEATHER = described(
    "get_weather",
    "Get the current weather of a city",
    city={"type": "string", "description": "Name of the city"},
)
ADD = described("add", "Add two numbers", a={"type": "integer"}, b={"type": "integer"})

UBER_RIDE: Tool = {
    "type": "function",
    "function": {
        "name": "uber_ride",
        "description": "Find suitable ride for customers given the location, "
        "type of ride, and the amount of time the customer is "
        "willing to wait as parameters",
        "parameters": {
            "type": "object",
            "properties": {
                "loc": {
                    "type": "int",
                    "description": "Location of the starting place of the Uber ride",
                },
                "type": {
                    "type": "string",
                    "enum": ["plus", "comfort", "black"],
                    "description": "Types of Uber ride user is ordering",
                },
                "time": {
                    "type": "int",
                    "description": "The amount of time in minutes the customer is willing to wait",
                },
            },
        },
    },
}
"""As it is published, with types that JSON Schema does not know."""

PROMPTS = (
    Prompt(
        name="capital",
        user="What is the capital of France?",
        text="The capital of France is Paris.",
    ),
    Prompt(
        name="largest",
        user="What is the largest animal?",
        text="The blue whale is the largest animal.",
    ),
    Prompt(name="greeting", user="Hello, Claude", text="Hello! How can I help you today?"),
    Prompt(
        name="count",
        user="Count to ten.",
        text="one two three four five six seven eight nine ten",
    ),
    Prompt(
        name="repeat",
        user="Repeat after me: hello world",
        text="hello world",
    ),
    Prompt(
        name="json",
        user="Answer in JSON: what is the capital of France?",
        text='{"country": "France", "capital": "Paris"}',
    ),
    Prompt(
        name="weather",
        user="What is the weather in Paris?",
        tools=(GET_WEATHER,),
        tool="get_weather",
        arguments={"city": "Paris"},
        result='{"degrees": 21}',
        told="It is 21 degrees in Paris.",
    ),
    Prompt(
        name="add",
        user="Add 17 and 25.",
        tools=(ADD,),
        tool="add",
        arguments={"a": 17, "b": 25},
        result="42",
        told="The sum is 42.",
    ),
    Prompt(
        name="ride",
        user="Call me an Uber ride type 'Plus' in Berkeley at zipcode 94704 in 10 minutes",
        tools=(UBER_RIDE,),
        tool="uber_ride",
        arguments={"loc": 94704, "type": "plus", "time": 10},
        result='{"status": "booked"}',
        told="Your ride is booked.",
    ),
)
