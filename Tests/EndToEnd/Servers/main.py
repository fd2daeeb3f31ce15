"""Functions as the documentation of PyPI's functions-framework has them: nothing here knows of Apus."""
import functions_framework


@functions_framework.http
def hello(request):
    name = request.args.get("name", "world")
    return f"Hello, {name}! {request.headers['X-Forwarded-For']} {request.method} {len(request.data)}\n"


@functions_framework.http
def broken(request):
    raise RuntimeError("told to fail")


@functions_framework.cloud_event
def taken(event):
    print("taken:", event["type"], event["source"], event["subject"] if "subject" in event else "", event.data)
