import asyncio

from sie_sdk import SIEAsyncClient
from sie_sdk.types import Item


async def main():
    async with SIEAsyncClient("http://localhost:8080") as client:
        result = await client.encode("BAAI/bge-m3", Item(text="Hello"))
        assert result["dense"].ndim == 1


asyncio.run(main())
