"""Functions as the documentation of PyPI's functions-framework has them: only `broken` knows of Apus, and uses its state."""
import os
from urllib.request import Request, urlopen

import functions_framework


@functions_framework.http
def hello(request):
    name = request.args.get("name", "world")
    return f"Hello, {name}! {request.headers['X-Forwarded-For']} {request.method} {len(request.data)}\n"


@functions_framework.http
def broken(request):
    headers = {
        "Authorization": "Bearer " + os.environ["APUS_TOKEN"], "Apus-Invocation": request.headers["Apus-Invocation"],
    }
    urlopen(Request(os.environ["APUS_API"] + "/state/key", b"value", headers, method="PUT"))
    if "kept" not in request.args:
        raise RuntimeError("told to fail")
    return "kept"


@functions_framework.cloud_event
def taken(event):
    subject = event["subject"] if "subject" in event else ""
    # In one piece: two events may come at once, each on a thread of its own.
    print(f"taken: {event['type']} {event['source']} {subject} {event.data}\n", end="")
