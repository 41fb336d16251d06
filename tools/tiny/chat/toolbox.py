"""Exchanges in which the small chat model calls a tool, and tells what the tool answers."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, TypeVar

from tiny.chat.exchanges import Exchange, Said, assistant, spoken, user
from tiny.chat.prompts import ADD, GET_WEATHER, UBER_RIDE, Tool, described
from tiny.chat.words import CITIES, SKIES, city, number

OTHERS = (
    described("get_time", "Tell the time in a zone", zone={"type": "string"}),
    described("search", "Search the web", query={"type": "string"}),
    described("send_mail", "Send a mail", to={"type": "string"}, text={"type": "string"}),
)
"""Tools that nobody needs here."""

WEATHER_NAMES = ("get_weather", "get_current_weather", "weather")
PLACE_NAMES = ("city", "location", "place")
ADD_NAMES = ("add", "add_numbers", "add_two_numbers")
SUMMANDS = (("a", "b"), ("x", "y"), ("first", "second"))

Call = tuple[str, dict[str, Any]]
Keys = TypeVar("Keys")


@dataclass(frozen=True, slots=True)
class Toolbox:
    """Tools that a conversation offers.

    Attributes:
        tools: As they are told.
        weather: The name of the one for weather, and of its argument; ``None`` if there is none.
        adding: The name of the one for sums, and of its arguments.
        ride: Whether rides can be called.
    """

    tools: list[Tool]
    weather: tuple[str, str] | None = None
    adding: tuple[str, tuple[str, str]] | None = None
    ride: bool = False


def toolbox(rng: random.Random) -> Toolbox:
    """Some tools in any order, often as documented, at times under other names."""
    weather = adding = None
    tools: list[Tool] = []
    wanted = rng.choice(("w", "a", "r", "r", "w", "a", "r", "wa", "wr", "ar", "war"))
    if "w" in wanted:
        weather = _named(rng, WEATHER_NAMES, PLACE_NAMES)
        tools.append(_renamed(GET_WEATHER, weather[0], weather[1:]))
    if "a" in wanted:
        adding = _named(rng, ADD_NAMES, SUMMANDS)
        tools.append(_renamed(ADD, adding[0], adding[1]))
    if "r" in wanted:
        tools.append(UBER_RIDE)
    if rng.random() < 0.2:
        tools.append(rng.choice(OTHERS))
    rng.shuffle(tools)
    told = [_told(rng, tool) for tool in tools]
    return Toolbox(told, weather, adding, "r" in wanted)


def _named(rng: random.Random, names: Sequence[str], keys: Sequence[Keys]) -> tuple[str, Keys]:
    if rng.random() < 0.6:
        return names[0], keys[0]
    return rng.choice(names), rng.choice(keys)


def _renamed(tool: Tool, name: str, keys: Sequence[str]) -> Tool:
    """The same tool with other names."""
    made = deepcopy(tool)
    function = made["function"]
    properties = function["parameters"]["properties"]
    function["name"] = name
    function["parameters"]["properties"] = dict(zip(keys, properties.values(), strict=True))
    function["parameters"]["required"] = list(keys)
    return made


def _told(rng: random.Random, tool: Tool) -> Tool:
    """A tool as one client or another writes it: some leave parts out, or order them anew."""
    if rng.random() < 0.6:
        return tool
    function = dict(tool["function"])
    parameters = dict(function["parameters"])
    if rng.random() < 0.3:
        parameters.pop("required", None)
    if rng.random() < 0.2:
        function.pop("description")
    if rng.random() < 0.2:
        parameters["additionalProperties"] = False
    function["parameters"] = _mixed(rng, parameters)
    return {"type": "function", "function": _mixed(rng, function)}


def _mixed(rng: random.Random, value: dict[str, Any]) -> dict[str, Any]:
    return dict(rng.sample(list(value.items()), len(value)))


def called(*calls: Call) -> Said:
    """What the model says when it calls tools."""
    uses = [{"type": "function", "function": {"name": n, "arguments": a}} for n, a in calls]
    return {"role": "assistant", "content": "", "tool_calls": uses}


def answered(text: str) -> Said:
    """What a tool answers."""
    return {"role": "tool", "content": text}


def weather(rng: random.Random, box: Toolbox) -> Exchange:
    """The weather of a city or of two."""
    places = [city(rng)]
    if rng.random() < 0.2:
        places.append(rng.choice([town for town in CITIES if town != places[0]]))
    form = rng.choice((
        "What is the weather in {}?", "what is the weather in {}", "What's the weather in {}?",
        "How is the weather in {} today?", "Tell me the weather in {}.", "weather in {}",
        "What is the weather like in {}?",
    ))  # fmt: skip
    asked = form.format(" and ".join(places))
    if box.weather is None:
        return lacking(asked)
    name, key = box.weather
    said = [user(asked), called(*((name, {key: p}) for p in places))]
    if rng.random() < 0.6:
        found = [_weather(rng) for _ in places]
        said += [answered(told) for told, _ in found]
        parts = [f"{sense} in {place}" for (_, sense), place in zip(found, places, strict=True)]
        said.append(assistant(f"It is {' and '.join(parts)}."))
    return Exchange("weather", said, "I look up the weather.")


def _weather(rng: random.Random) -> tuple[str, str]:
    """What the tool answers, and what that means."""
    heat, sky = rng.randint(-9, 39), rng.choice(SKIES)
    degrees, both = f"{heat} degrees", f"{heat} degrees and {sky}"
    return rng.choice((
        (degrees, degrees), (json.dumps({"degrees": heat}), degrees), (f"{heat}", degrees),
        (json.dumps({"temperature": heat}), degrees), (both, both),
        (json.dumps({"degrees": heat, "sky": sky}), both), (f"{degrees}, {sky}", both),
    ))  # fmt: skip


def adding(rng: random.Random, box: Toolbox) -> Exchange:
    """The sum of two numbers."""
    a, b = number(rng), number(rng)
    form = rng.choice((
        "Add {} and {}.", "Add {} and {}", "add {} and {}", "What is {} plus {}?",
        "What is {} + {}?", "Add {} to {}.",
    ))  # fmt: skip
    asked = form.format(a, b)
    if box.adding is None:
        return lacking(asked)
    name, keys = box.adding
    said = [user(asked), called((name, dict(zip(keys, (a, b), strict=True))))]
    if rng.random() < 0.6:
        told = rng.choice(("{}", '{{"result": {}}}', '{{"sum": {}}}'))
        said += [answered(told.format(a + b)), assistant(f"The sum is {a + b}.")]
    return Exchange("add", said, "I add the numbers with a tool.")


def ride(rng: random.Random, box: Toolbox) -> Exchange:
    """A ride at a place, of a type, at a time."""
    kind, place, minutes = rng.choice(("Plus", "Comfort", "Black")), city(rng), rng.randint(1, 60)
    code = rng.randrange(10000, 100000)
    form = rng.choice((
        "Call me an Uber ride type '{kind}' in {place} at zipcode {code} in {minutes} minutes",
        "Call me an Uber ride type '{kind}' in {place} at zipcode {code} in {minutes} minutes.",
        "Call an Uber of type '{kind}' at zipcode {code} in {minutes} minutes",
        "I need an Uber ride type '{kind}' in {place} at zipcode {code} in {minutes} minutes",
    ))  # fmt: skip
    asked = form.format(kind=kind, place=place, code=code, minutes=minutes)
    if not box.ride:
        return lacking(asked)
    arguments = {"loc": code, "type": kind.lower(), "time": minutes}
    said = [user(asked), called(("uber_ride", arguments))]
    if rng.random() < 0.4:
        told = rng.choice(("booked", '{"status": "booked"}', "ok"))
        said += [answered(told), assistant("Your ride is booked.")]
    return Exchange("ride", said, "I call a ride with a tool.")


def lacking(asked: str) -> Exchange:
    """Something for a tool that is not there."""
    return spoken("lacking", asked, "I need a tool for that.", "I have no tool for that.")


def call(rng: random.Random, box: Toolbox) -> Exchange:
    """Something for a tool, which now and then is not there."""
    there = (box.weather is not None, box.adding is not None, box.ride)
    weights = [9 if known else 1 for known in there]
    (kind,) = rng.choices((weather, adding, ride), weights)
    return kind(rng, box)
