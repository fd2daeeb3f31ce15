import Manifests

extension Handlers {
    /// A Lambda runtime in Python that does what `task` says, for each event that it gets.
    static func lambda(
        _ task: String, _ triggers: [Trigger] = [.http(anyPath)], _ adjust: (inout Manifest) -> Void = { _ in }
    ) -> Manifest {
        let command = ["/usr/bin/env", "python3", "-c", lambdaRuntime, task]
        return manifest(Handler(command: command, contract: .lambda, directory: "/"), triggers, adjust)
    }

    private static let lambdaRuntime = #"""
        import base64, http.client, json, os, select, signal, socket, sys, time

        api, prefix = os.environ["AWS_LAMBDA_RUNTIME_API"], "/2018-06-01/runtime/"
        connection = http.client.HTTPConnection(api)


        def ask(method, path, body=None, headers={}, **more):
            connection.request(method, prefix + path, body, headers, **more)
            response = connection.getresponse()
            return response.status, response.headers, response.read()


        def argument(event, name, default=""):
            return event.get("queryStringParameters", {}).get(name, default)


        def body_of(event):
            body = event.get("body", "")
            return base64.b64decode(body) if event["isBase64Encoded"] else body.encode()


        def echo(event):
            body = base64.b64encode(body_of(event)).decode()
            return {"statusCode": 200, "body": body, "isBase64Encoded": True}


        def chunks(event):
            yield b'{"statusCode": 201, "headers": {"x-kind": "stream"}, "cookies": ["a=b"]}' + bytes(8)
            chunk = b"x" * int(argument(event, "size", "1024"))
            for _ in range(int(argument(event, "chunks"))):
                yield chunk
                print("wrote", file=sys.stderr, flush=True)


        def ignoreTerm(event):
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(60)


        def stubborn(event):
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            print("stubborn", file=sys.stderr, flush=True)
            time.sleep(60)


        def flood(event):
            line = b"l" * 1023 + b"\n"
            for _ in range(100 << 10):
                os.write(2, line)


        def noise(event):
            plain = socket.create_connection(api.split(":"))
            plain.sendall(bytes(range(256)) * 64)
            plain.recv(1 << 16)
            os._exit(0)


        def eager(event):
            # Asks for the next event before it has answered this one.
            other = http.client.HTTPConnection(api)
            other.request("GET", prefix + "invocation/next")
            time.sleep(60)


        def linger(event):
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
            print("runs", flush=True)
            signal.sigwait([signal.SIGUSR1])
            return {"statusCode": 200, "body": str(os.getpid())}


        def say(event):
            print(json.dumps(event), flush=True)


        tasks = {
            "echo": echo,
            "count": lambda event: {"statusCode": 200, "body": str(len(body_of(event)))},
            "crash": lambda event: os.kill(os.getpid(), signal.SIGKILL),
            "exit": lambda event: os._exit(3),
            "sleep": lambda event: time.sleep(60),
            "ignoreTerm": ignoreTerm,
            "stubborn": stubborn,
            "flood": flood,
            "allocate": lambda event: len(bytes(b"x") * (512 << 20)),
            "environment": lambda event: {"statusCode": 200, "body": os.environ.get(argument(event, "name"), "")},
            "event": say,
            "show": lambda event: {"statusCode": 200, "body": json.dumps(event)},
            "return": lambda event: json.loads(body_of(event)),
            "pid": lambda event: {"statusCode": 200, "body": str(os.getpid())},
            "noise": noise,
            "eager": eager,
            "linger": linger,
            "slowStart": echo,
        }
        task = sys.argv[-1]
        modes = {"Lambda-Runtime-Function-Response-Mode": "streaming"}
        prelude = {"Content-Type": "application/vnd.awslambda.http-integration-response"}

        if task == "neverReady":
            time.sleep(60)
        if task == "slowStart":
            time.sleep(1)
        if task == "initError":
            error = json.dumps({"errorType": "ImportError", "errorMessage": "no module named nowhere"})
            print("init/error", ask("POST", "init/error", error)[0], file=sys.stderr, flush=True)
            sys.exit(1)

        while True:
            status, headers, payload = ask("GET", "invocation/next")
            id, event = headers["Lambda-Runtime-Aws-Request-Id"], json.loads(payload)
            path = "invocation/" + id
            if task == "stream":
                status = ask("POST", path + "/response", chunks(event), modes | prelude, encode_chunked=True)[0]
            elif task == "plainStream":
                body = iter([b"one ", b"two"])
                status = ask("POST", path + "/response", body, modes | {"Content-Type": "text/plain"})[0]
            elif task in ("brokenStream", "brokenStart"):
                head = f"POST {prefix}{path}/response HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
                head += "".join(f"{k}: {v}\r\n" for k, v in (modes | prelude).items())
                plain = socket.create_connection(api.split(":"))
                error = base64.b64encode(b'{"errorType": "Late", "errorMessage": "too late"}').decode()
                begun = b"A\r\n{}" + bytes(8) + b"\r\n5\r\nhello\r\n" if task == "brokenStream" else b""
                plain.sendall(head.encode() + b"\r\n" + begun + b"0\r\n")
                trailers = f"Lambda-Runtime-Function-Error-Type: X\r\nLambda-Runtime-Function-Error-Body: {error}\r\n\r\n"
                plain.sendall(trailers.encode())
                status = int(plain.recv(1 << 16).split()[1])
            elif task == "patientStream":
                head = f"POST {prefix}{path}/response HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
                head += "".join(f"{k}: {v}\r\n" for k, v in (modes | prelude).items())
                plain = socket.create_connection(api.split(":"))
                plain.sendall(head.encode() + b"\r\nA\r\n{}" + bytes(8) + b"\r\n5\r\nhello\r\n")
                # Nothing tells that nothing comes.
                isEarly = bool(select.select([plain], [], [], 0.5)[0])
                plain.sendall(b"0\r\n\r\n")
                status = int(plain.recv(1 << 16).split()[1])
                print("early" if isEarly else "patient", file=sys.stderr, flush=True)
            elif task == "fail":
                error = json.dumps({"errorType": "ValueError", "errorMessage": "no such day", "stackTrace": []})
                cause = {"Lambda-Runtime-Function-XRay-Error-Cause": "x" * ((1 << 20) - 1)}
                status = ask("POST", path + "/error", error, cause)[0]
            elif task == "garbage":
                status = ask("POST", path + "/response", bytes(range(256)) * 64)[0]
            elif task == "large":
                status = ask("POST", path + "/response", bytes(65 << 20))[0]
                sys.exit(0 if status == 413 else 1)
            elif task == "wrong":
                statuses = [
                    ask("POST", "invocation/019a0000-0000-7000-8000-000000000000/response", "{}")[0],
                    ask("POST", "init/error", "{}")[0], ask("GET", path + "/response")[0], ask("GET", "elsewhere")[0],
                ]
                status = ask("POST", path + "/response", json.dumps({"statusCode": 200, "body": str(statuses)}))[0]
            elif task == "context":
                kept = {k: v for k, v in headers.items() if k.startswith("Lambda-")}
                kept["left"] = int(headers["Lambda-Runtime-Deadline-Ms"]) - int(time.time() * 1000)
                status = ask("POST", path + "/response", json.dumps({"statusCode": 200, "body": json.dumps(kept)}))[0]
            else:
                status = ask("POST", path + "/response", json.dumps(tasks[task](event)))[0]
            assert status == 202, status
            if task == "linger":
                print("lingers", flush=True)
                time.sleep(60)
        """#
}
