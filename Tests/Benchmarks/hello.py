"""What Functions/Hello does, in Python. Its argument makes the handler `def` or `async def`."""
import sys

import apus


def hello(request, context):
    return f"Hello, {request.parameters.get('name', 'world')}!\n"


async def hello_async(request, context):
    return hello(request, context)


apus.http(hello_async if "async" in sys.argv[1:] else hello)
apus.run()
