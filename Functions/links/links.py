"""Short links: POST a URL, and give away the path that comes back. Each visit is counted."""
import secrets
from urllib.parse import urlsplit

import apus


@apus.http
def links(request, context):
    key = request.parameters.get("key")
    if request.method != "POST":
        return follow(key, context.state) if key else listed(context.state)
    if key:
        raise apus.HTTPError(405, "POST the URL to /links.\n", {"Allow": "GET, HEAD"})
    return shorten(request.text().strip(), context.state)


def shorten(url, state):
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise apus.HTTPError(400, "The body is not the URL of a web page.\n")
    key = secrets.token_urlsafe(6)
    state.set(f"url/{key}", url)
    return apus.Response(f"/links/{key}\n", 201, {"Location": f"/links/{key}"})


def follow(key, state):
    url = state.get_text(f"url/{key}")
    if url is None:
        raise apus.HTTPError(404, "There is no such link.\n")
    state.increment(f"visits/{key}")
    return apus.Response(None, 302, {"Location": url, "Cache-Control": "no-store"})


def listed(state):
    """The first thousand by their keys."""
    visits = dict(state.list("visits/"))
    links = [(key[len("url/"):], url.decode()) for key, url in state.list("url/")]
    return {key: {"url": url, "visits": int(visits.get("visits/" + key, 0))} for key, url in links}


if __name__ == "__main__":
    apus.run()
