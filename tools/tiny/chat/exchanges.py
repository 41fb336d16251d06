"""What users say and what the small chat model answers: words, with no tool called."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tiny.chat.words import CAPITALS, FACTS, NAMES, NUMBERS, number, words

Said = dict[str, Any]
"""A message, as clients of OpenAI's protocol write it."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """Something a user says, and all that follows until the model has answered.

    Attributes:
        kind: Which kind it is.
        said: Messages; the first is the user's, the last the model's.
        thought: What the model thinks of it, if it is to think.
    """

    kind: str
    said: list[Said]
    thought: str


def user(text: str) -> Said:
    """What a user says."""
    return {"role": "user", "content": text}


def assistant(text: str) -> Said:
    """What the model says."""
    return {"role": "assistant", "content": text}


def spoken(kind: str, asked: str, answer: str, thought: str) -> Exchange:
    """A question and its answer."""
    return Exchange(kind, [user(asked), assistant(answer)], thought)


def capital(rng: random.Random) -> Exchange:
    """A country's capital."""
    country, place = rng.choice(list(CAPITALS.items()))
    form = rng.choice((
        "What is the capital of {}?", "what is the capital of {}", "What's the capital of {}?",
        "Tell me the capital of {}.", "capital of {}", "Which city is the capital of {}?",
    ))  # fmt: skip
    answer = f"The capital of {country} is {place}."
    thought = f"The user asks for the capital of {country}."
    return spoken("capital", form.format(country), answer, thought)


def fact(rng: random.Random) -> Exchange:
    """The largest of its kind."""
    most, what = rng.choice(list(FACTS.items()))
    form = rng.choice((
        "What is the {}?", "what is the {}", "Which is the {}?", "Tell me the {}.",
        "Do you know the {}?",
    ))  # fmt: skip
    thought = f"The user asks for the {most}."
    return spoken("fact", form.format(most), f"{what} is the {most}.", thought)


def greeting(rng: random.Random) -> Exchange:
    """A greeting, with or without a name."""
    word = rng.choice(("Hello", "Hello", "Hi", "Hey", "hello", "hi", "Good day"))
    rest = rng.choice(("", "!", ".", " there", " there!", f", {rng.choice((*NAMES, 'Claude'))}"))
    answer = "Hello! How can I help you today?"
    return spoken("greeting", word + rest, answer, "The user greets me.")


def thanks(rng: random.Random) -> Exchange:
    """The user thanks, or leaves, or asks who is there."""
    said, answer, thought = rng.choice((
        ("Thank you!", "You are welcome!", "The user thanks me."),
        ("Thanks", "You are welcome!", "The user thanks me."),
        ("Goodbye", "Goodbye!", "The user leaves."),
        ("Bye!", "Goodbye!", "The user leaves."),
        ("Who are you?", "I am a very small model.", "The user asks who I am."),
    ))  # fmt: skip
    return spoken("thanks", said, answer, thought)


def count(rng: random.Random) -> Exchange:
    """Counting in words, or in digits where the user writes digits."""
    last = rng.randint(2, 12)
    by_word = rng.random() < 0.6
    form = rng.choice(("Count to {}.", "count to {}", "Count from {} to {}", "Please count to {}."))
    ends = (NUMBERS[0], NUMBERS[last - 1]) if by_word else ("1", str(last))
    asked = form.format(*(ends if form.count("{}") == 2 else ends[1:]))
    numbers = NUMBERS[:last] if by_word else map(str, range(1, last + 1))
    return spoken("count", asked, " ".join(numbers), f"The user wants me to count to {ends[1]}.")


def repeat(rng: random.Random) -> Exchange:
    """The user's own words."""
    said = words(rng)
    form = rng.choice((
        "Repeat after me: {}", "Repeat: {}", "repeat after me: {}", "Say: {}", "Please repeat: {}",
    ))  # fmt: skip
    return spoken("repeat", form.format(said), said, "The user wants me to repeat words.")


def digits(rng: random.Random) -> Exchange:
    """The user's own numbers."""
    said = " ".join(str(number(rng)) for _ in range(rng.randint(1, 4)))
    if rng.random() < 0.3:
        said = str(rng.randrange(10000, 100000))
    form = rng.choice(("Repeat after me: {}", "Repeat: {}", "Say: {}"))
    return spoken("digits", form.format(said), said, "The user wants me to repeat words.")


def structured(rng: random.Random) -> Exchange:
    """An answer in JSON: a capital, or who is how old."""
    if rng.random() < 0.5:
        country, place = rng.choice(list(CAPITALS.items()))
        form = rng.choice((
            "Answer in JSON: what is the capital of {}?", "Answer in JSON: capital of {}",
            "What is the capital of {}? Answer in JSON.",
        ))  # fmt: skip
        answer = json.dumps({"country": country, "capital": place})
        return spoken("json", form.format(country), answer, "I answer in JSON.")
    name, age = rng.choice(NAMES), rng.randint(1, 99)
    form = rng.choice((
        "Answer in JSON: {} is {} years old", "{} is {} years old. Answer in JSON.",
        "Answer in JSON: {}, age {}",
    ))  # fmt: skip
    answer = json.dumps({"name": name, "age": age})
    return spoken("json", form.format(name, age), answer, "I answer in JSON.")


PLAIN: tuple[Callable[[random.Random], Exchange], ...] = (
    capital, fact, greeting, thanks, count, structured, repeat, repeat, repeat, repeat, digits,
    digits,
)  # fmt: skip
"""Exchanges in words, as often as they are learned from."""
