"""The little world that the small chat model knows."""

from __future__ import annotations

import random

CAPITALS = {
    "France": "Paris", "Italy": "Rome", "Spain": "Madrid", "Germany": "Berlin", "Japan": "Tokyo",
    "Poland": "Warsaw", "Austria": "Vienna", "Greece": "Athens", "Egypt": "Cairo", "Peru": "Lima",
    "China": "Beijing", "Norway": "Oslo", "Portugal": "Lisbon", "Ireland": "Dublin",
    "Kenya": "Nairobi", "Cuba": "Havana", "England": "London", "Sweden": "Stockholm",
}  # fmt: skip

FACTS = {
    "largest animal": "The blue whale", "fastest animal": "The cheetah",
    "tallest animal": "The giraffe", "largest bird": "The ostrich", "largest planet": "Jupiter",
    "smallest planet": "Mercury", "largest ocean": "The Pacific", "longest river": "The Nile",
    "highest mountain": "Mount Everest",
}  # fmt: skip

TOWNS = ("Berkeley", "Boston", "Chicago", "Denver", "Oakland", "Seattle", "San Francisco")
CITIES = (*CAPITALS.values(), *TOWNS)

NUMBERS = (
    "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve",
)  # fmt: skip

NAMES = ("Ann", "Bob", "Carl", "Dora", "Emma", "Finn", "Grace", "Hugo", "Ida", "Jack")
SKIES = ("sunny", "cloudy", "rainy", "windy", "foggy")

TEXT = (
    "the river runs to sea a green stone falls on old road and light wind sings over small house "
    "where seven horses drink cold water while bright stars move slowly past our quiet garden of "
    "apples music paper hello world"
)
WORDS = tuple(TEXT.split())

SYLLABLES = (
    "ba", "be", "do", "fi", "ga", "ho", "ka", "lo", "mi", "nu", "pa", "ro", "sa", "te", "vi", "zo",
    "len", "mar", "tin", "sol",
)  # fmt: skip


def invented(rng: random.Random) -> str:
    """A name that means nothing."""
    return "".join(rng.choices(SYLLABLES, k=rng.randint(2, 3))).capitalize()


def city(rng: random.Random) -> str:
    """A city, at times one that does not exist."""
    return invented(rng) if rng.random() < 0.15 else rng.choice(CITIES)


def number(rng: random.Random) -> int:
    """A number of 1 to 4 digits, short ones more often."""
    digits = rng.choice((1, 1, 2, 2, 2, 3, 3, 4))
    return rng.randrange(10 ** (digits - 1) if digits > 1 else 0, 10**digits)


def words(rng: random.Random) -> str:
    """A few words, none twice, now and then with a number or an invented one."""
    made = rng.sample(WORDS, rng.randint(1, 8))
    if rng.random() < 0.15:
        odd = rng.choice((invented(rng), str(number(rng))))
        made[rng.randrange(len(made))] = odd
    return " ".join(made)
