import asyncio


async def another_heavylifting_job():
    # can be writing to database, downloading large file
    # big IO ops
    await asyncio.sleep(3)


from clip_client import Client

c = Client("grpc://0.0.0.0:51000")


async def main():
    t1 = asyncio.create_task(another_heavylifting_job())
    t2 = asyncio.create_task(c.aencode(["hello world"] * 100))
    await asyncio.gather(t1, t2)
    print(t2.result().shape)


asyncio.run(main())
