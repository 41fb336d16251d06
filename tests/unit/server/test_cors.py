from __future__ import annotations

import httpx
import pytest
from live import live

SHOP = "https://shop.example"


async def ask(
    method: str, origin: str, *origins: str, keys: tuple[str, ...] = ()
) -> httpx.Response:
    headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    headers["Access-Control-Request-Headers"] = "authorization, content-type"
    if method != "OPTIONS":
        headers = {"Origin": origin}
    async with (
        live(cors={"origins": origins}, api_keys=keys) as server,
        httpx.AsyncClient(base_url=server.url) as http,
    ):
        return await http.request(method, "/v1/models", headers=headers)


def shared(answer: httpx.Response) -> dict[str, str]:
    return {
        name.removeprefix("access-control-allow-"): value
        for name, value in answer.headers.items()
        if name.startswith("access-control-allow-")
    }


async def test_pages_of_other_origins_may_not_ask_by_default() -> None:
    answer = await ask("GET", SHOP)
    assert answer.status_code == 403
    assert shared(answer) == {}
    answer = await ask("OPTIONS", SHOP)
    assert answer.status_code >= 400
    assert shared(answer) == {}


async def test_listed_origin_is_named_and_may_show_credentials() -> None:
    answer = await ask("GET", SHOP, SHOP)
    assert answer.status_code == 200
    assert shared(answer) == {"origin": SHOP, "credentials": "true"}
    assert "Origin" in answer.headers["vary"]


async def test_other_origins_stay_out_where_one_is_listed() -> None:
    answer = await ask("GET", "https://evil.example", SHOP)
    assert answer.status_code == 403
    assert "origin" not in shared(answer)


async def test_every_origin_is_let_in_without_credentials() -> None:
    answer = await ask("GET", SHOP, "*")
    assert answer.status_code == 200
    assert shared(answer) == {"origin": "*"}


async def test_browser_that_asks_first_is_answered_without_a_key() -> None:
    answer = await ask("OPTIONS", SHOP, SHOP, keys=("secret",))
    assert answer.status_code == 200
    told = shared(answer)
    assert told["origin"] == SHOP
    assert {"POST", "DELETE", "PUT"} <= set(told["methods"].split(", "))
    assert told["headers"] == "authorization, content-type"
    assert answer.headers["access-control-max-age"] == "600"


async def test_page_can_read_why_it_was_refused() -> None:
    answer = await ask("GET", SHOP, SHOP, keys=("secret",))
    assert answer.status_code == 401
    assert shared(answer)["origin"] == SHOP
    assert "X-Stelae-Error-Code" in answer.headers["access-control-expose-headers"]


@pytest.mark.parametrize("origin", ["https://shop.example.evil", "http://shop.example", "null"])
async def test_origins_are_compared_whole(origin: str) -> None:
    assert (await ask("GET", origin, SHOP)).status_code == 403
