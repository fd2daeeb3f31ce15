"""What hello.py does, for servers of WSGI applications."""


def application(environ, start_response):
    body = f"Hello, {environ['PATH_INFO'].rpartition('/')[2] or 'world'}!\n".encode()
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))])
    return [body]
