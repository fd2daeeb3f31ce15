/// What `/v1/openapi.json` answers: the API in the terms of OpenAPI 3.1 (https://spec.openapis.org/oas/v3.1.0).
///
/// Kept as JSON rather than built in Swift: tools and people read it as it stands.
package enum OpenAPI {
    package static let document = #"""
        {
          "openapi": "3.1.0",
          "info": {
            "title": "Apus admin API",
            "version": "1",
            "description": "Controls a running host. It listens on loopback and has no authentication.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" }
          },
          "servers": [{ "url": "http://127.0.0.1:8081" }],
          "paths": {
            "/healthz": {
              "get": { "summary": "Whether the host runs", "responses": { "200": { "description": "It does." } } }
            },
            "/readyz": {
              "get": {
                "summary": "Whether the host can do its work",
                "responses": {
                  "200": { "$ref": "#/components/responses/Readiness" },
                  "503": { "$ref": "#/components/responses/Readiness" }
                }
              }
            },
            "/v1/functions": {
              "get": {
                "summary": "All functions with their workers, queues and outcomes",
                "responses": {
                  "200": {
                    "description": "By name.",
                    "content": { "application/json": { "schema": {
                      "type": "object", "required": ["functions"],
                      "properties": { "functions": { "type": "array", "items": { "$ref": "#/components/schemas/Function" } } }
                    } } }
                  },
                  "default": { "$ref": "#/components/responses/Problem" }
                }
              }
            },
            "/v1/functions/{name}": {
              "parameters": [{ "$ref": "#/components/parameters/Name" }],
              "get": {
                "summary": "One function, what its manifest declares, and its latest asynchronous invocations",
                "responses": {
                  "200": {
                    "description": "The function.",
                    "content": { "application/json": { "schema": {
                      "type": "object", "required": ["function", "declared", "invocations"],
                      "properties": {
                        "function": { "$ref": "#/components/schemas/Function" },
                        "declared": { "type": "object" },
                        "invocations": { "type": "array", "items": { "$ref": "#/components/schemas/Invocation" } }
                      }
                    } } }
                  },
                  "default": { "$ref": "#/components/responses/Problem" }
                }
              }
            },
            "/v1/functions/{name}/invocations": {
              "parameters": [{ "$ref": "#/components/parameters/Name" }],
              "post": {
                "summary": "Run the function with a request or an event",
                "requestBody": {
                  "required": true,
                  "content": { "application/json": { "schema": { "$ref": "#/components/schemas/InvocationRequest" } } }
                },
                "responses": {
                  "200": { "$ref": "#/components/responses/InvocationResult" },
                  "202": { "$ref": "#/components/responses/InvocationResult" },
                  "default": { "$ref": "#/components/responses/Problem" }
                }
              }
            },
            "/2015-03-31/functions/{name}/invocations": {
              "parameters": [{ "$ref": "#/components/parameters/Name" }],
              "post": {
                "summary": "AWS's own Invoke, for its command line and SDKs",
                "externalDocs": { "url": "https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html" },
                "parameters": [
                  {
                    "name": "X-Amz-Invocation-Type", "in": "header",
                    "schema": { "type": "string", "enum": ["RequestResponse", "Event", "DryRun"] }
                  },
                  { "name": "X-Amz-Log-Type", "in": "header", "schema": { "type": "string", "enum": ["None", "Tail"] } },
                  {
                    "name": "X-Amz-Client-Context", "in": "header", "description": "JSON in base64.",
                    "schema": { "type": "string" }
                  },
                  { "name": "Qualifier", "in": "query", "schema": { "type": "string", "const": "$LATEST" } }
                ],
                "requestBody": { "content": { "application/json": { "schema": {} } } },
                "responses": {
                  "200": {
                    "description": "What the function answered; its error with `X-Amz-Function-Error`.",
                    "content": { "application/json": { "schema": {} } }
                  },
                  "202": { "description": "The event is in the queue." },
                  "204": { "description": "The function is there." },
                  "default": {
                    "description": "An error in AWS's shape, with its name in `x-amzn-ErrorType`.",
                    "content": { "application/json": { "schema": { "type": "object" } } }
                  }
                }
              }
            },
            "/v1/invocations": {
              "get": {
                "summary": "Asynchronous invocations, the newest first",
                "parameters": [
                  { "$ref": "#/components/parameters/Function" },
                  {
                    "name": "state", "in": "query",
                    "schema": { "type": "string", "enum": ["waiting", "running", "done", "dead"] }
                  },
                  { "$ref": "#/components/parameters/Limit" }
                ],
                "responses": {
                  "200": {
                    "description": "At most `limit`.",
                    "content": { "application/json": { "schema": {
                      "type": "object", "required": ["invocations"],
                      "properties": { "invocations": { "type": "array", "items": { "$ref": "#/components/schemas/Invocation" } } }
                    } } }
                  },
                  "default": { "$ref": "#/components/responses/Problem" }
                }
              }
            },
            "/v1/invocations/{id}": {
              "parameters": [{ "$ref": "#/components/parameters/InvocationID" }],
              "get": {
                "summary": "One asynchronous invocation",
                "responses": {
                  "200": {
                    "description": "Its state, attempts and outcome.",
                    "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Invocation" } } }
                  },
                  "default": { "$ref": "#/components/responses/Problem" }
                }
              },
              "delete": {
                "summary": "Cancel it; 409 when it has ended",
                "responses": {
                  "200": {
                    "description": "The state that it was in.",
                    "content": { "application/json": { "schema": {
                      "type": "object", "required": ["cancelled"],
                      "properties": { "cancelled": { "type": "string", "enum": ["waiting", "running"] } }
                    } } }
                  },
                  "default": { "$ref": "#/components/responses/Problem" }
                }
              }
            },
            "/v1/invocations/{id}/result": {
              "parameters": [{ "$ref": "#/components/parameters/InvocationID" }],
              "get": {
                "summary": "What it answered; 404 with `no-result` while it has not",
                "responses": {
                  "200": {
                    "description": "`status` is absent for what a handler returned for an event.",
                    "content": { "application/json": { "schema": {
                      "type": "object", "required": ["headers", "body", "cut"],
                      "properties": {
                        "status": { "type": "integer" }, "headers": { "type": "array", "items": { "type": "object" } },
                        "body": { "$ref": "#/components/schemas/Bytes" },
                        "cut": { "type": "boolean", "description": "Whether the body was longer than what is kept." }
                      }
                    } } }
                  },
                  "default": { "$ref": "#/components/responses/Problem" }
                }
              }
            },
            "/v1/dead": {
              "parameters": [
                { "$ref": "#/components/parameters/Function" }, { "$ref": "#/components/parameters/Outcome" },
                { "$ref": "#/components/parameters/Before" }
              ],
              "get": {
                "summary": "Dead letters, those that died last first",
                "parameters": [{ "$ref": "#/components/parameters/Limit" }],
                "responses": {
                  "200": {
                    "description": "At most `limit`.",
                    "content": { "application/json": { "schema": {
                      "type": "object", "required": ["invocations"],
                      "properties": { "invocations": { "type": "array", "items": { "$ref": "#/components/schemas/Invocation" } } }
                    } } }
                  },
                  "default": { "$ref": "#/components/responses/Problem" }
                }
              },
              "delete": {
                "summary": "Drop all that the parameters mean",
                "parameters": [{ "$ref": "#/components/parameters/All" }],
                "responses": {
                  "200": { "$ref": "#/components/responses/DeadCount" },
                  "default": { "$ref": "#/components/responses/Problem" }
                }
              }
            },
            "/v1/dead/retry": {
              "post": {
                "summary": "Let all that the parameters mean run again, until a queue is full",
                "parameters": [
                  { "$ref": "#/components/parameters/Function" }, { "$ref": "#/components/parameters/Outcome" },
                  { "$ref": "#/components/parameters/Before" }, { "$ref": "#/components/parameters/All" }
                ],
                "responses": {
                  "200": { "$ref": "#/components/responses/DeadCount" },
                  "default": { "$ref": "#/components/responses/Problem" }
                }
              }
            },
            "/v1/dead/{id}": {
              "parameters": [{ "$ref": "#/components/parameters/InvocationID" }],
              "delete": {
                "summary": "Drop one",
                "responses": {
                  "200": { "$ref": "#/components/responses/DeadCount" },
                  "default": { "$ref": "#/components/responses/Problem" }
                }
              }
            },
            "/v1/dead/{id}/retry": {
              "parameters": [{ "$ref": "#/components/parameters/InvocationID" }],
              "post": {
                "summary": "Let one run again, with all its attempts",
                "responses": {
                  "200": { "$ref": "#/components/responses/DeadCount" },
                  "default": { "$ref": "#/components/responses/Problem" }
                }
              }
            },
            "/v1/logs": {
              "get": {
                "summary": "Log lines, the oldest first; 404 for a function that there is not and was not",
                "parameters": [
                  { "$ref": "#/components/parameters/Function" },
                  { "name": "invocation", "in": "query", "schema": { "type": "string", "format": "uuid" } },
                  {
                    "name": "since", "in": "query", "description": "Milliseconds since 1970-01-01T00:00:00Z.",
                    "schema": { "type": "integer" }
                  },
                  { "$ref": "#/components/parameters/Limit" },
                  {
                    "name": "follow", "in": "query", "description": "Go on with the lines that come.",
                    "schema": { "type": "boolean" }
                  }
                ],
                "responses": {
                  "200": {
                    "description": "One JSON object a line; one of them says so where a reader was too slow.",
                    "content": { "application/jsonl": { "schema": { "$ref": "#/components/schemas/LogLine" } } }
                  },
                  "default": { "$ref": "#/components/responses/Problem" }
                }
              }
            },
            "/v1/reload": {
              "post": {
                "summary": "Read the manifests again; on any problem the running set stays",
                "responses": {
                  "200": { "$ref": "#/components/responses/Reload" },
                  "422": { "$ref": "#/components/responses/Reload" },
                  "default": { "$ref": "#/components/responses/Problem" }
                }
              }
            },
            "/v1/state": {
              "get": {
                "summary": "The namespaces that hold any key",
                "responses": {
                  "200": {
                    "description": "By name.",
                    "content": { "application/json": { "schema": {
                      "type": "object", "required": ["namespaces"],
                      "properties": { "namespaces": { "type": "array", "items": { "type": "string" } } }
                    } } }
                  },
                  "default": { "$ref": "#/components/responses/Problem" }
                }
              }
            },
            "/v1/storage": {
              "get": {
                "summary": "How well what is written is gathered into transactions",
                "responses": {
                  "200": {
                    "description": "Since the host came up.",
                    "content": { "application/json": { "schema": {
                      "type": "object", "required": ["commits", "units", "waiting"],
                      "properties": {
                        "commits": { "type": "integer", "description": "Transactions, each with one fsync." },
                        "units": { "type": "integer", "description": "What was asked for, each applied as one." },
                        "waiting": { "type": "integer", "description": "Units that wait now." }
                      }
                    } } }
                  },
                  "default": { "$ref": "#/components/responses/Problem" }
                }
              }
            },
            "/v1/state/{namespace}": {
              "parameters": [{ "$ref": "#/components/parameters/Namespace" }],
              "get": {
                "summary": "Keys and values, in the order of the keys' bytes; 404 for a namespace of nobody",
                "parameters": [
                  { "name": "prefix", "in": "query", "schema": { "type": "string" } },
                  {
                    "name": "after", "in": "query", "description": "Begin behind this key.",
                    "schema": { "type": "string" }
                  },
                  { "$ref": "#/components/parameters/Limit" }
                ],
                "responses": {
                  "200": {
                    "description": "A page; `next` is the `after` of the next one.",
                    "content": { "application/json": { "schema": {
                      "type": "object", "required": ["entries"],
                      "properties": {
                        "entries": {
                          "type": "array",
                          "items": {
                            "type": "object", "required": ["key", "version", "value"],
                            "properties": {
                              "key": { "type": "string" }, "version": { "type": "integer" },
                              "value": { "$ref": "#/components/schemas/Bytes" }
                            }
                          }
                        },
                        "next": { "type": "string" }
                      }
                    } } }
                  },
                  "default": { "$ref": "#/components/responses/Problem" }
                }
              }
            },
            "/v1/state/{namespace}/{key}": {
              "parameters": [
                { "$ref": "#/components/parameters/Namespace" },
                {
                  "name": "key", "in": "path", "required": true,
                  "description": "Percent-encoded; slashes may stand as they are.", "schema": { "type": "string" }
                }
              ],
              "get": {
                "summary": "A value; its version is the ETag",
                "responses": {
                  "200": { "description": "Its bytes.", "content": { "application/octet-stream": {} } },
                  "default": { "$ref": "#/components/responses/Problem" }
                }
              },
              "put": {
                "summary": "Set a value",
                "requestBody": { "required": true, "content": { "application/octet-stream": {} } },
                "responses": {
                  "204": { "description": "It is committed." }, "default": { "$ref": "#/components/responses/Problem" }
                }
              },
              "delete": {
                "summary": "Delete a key",
                "responses": {
                  "204": { "description": "It is gone." }, "default": { "$ref": "#/components/responses/Problem" }
                }
              }
            },
            "/v1/openapi.json": {
              "get": { "summary": "This document", "responses": { "200": { "description": "OpenAPI 3.1." } } }
            }
          },
          "components": {
            "parameters": {
              "Name": { "name": "name", "in": "path", "required": true, "schema": { "type": "string" } },
              "Namespace": { "name": "namespace", "in": "path", "required": true, "schema": { "type": "string" } },
              "InvocationID": {
                "name": "id", "in": "path", "required": true, "schema": { "type": "string", "format": "uuid" }
              },
              "Outcome": { "name": "outcome", "in": "query", "schema": { "type": "string" } },
              "Before": {
                "name": "before", "in": "query", "description": "Those that died before.",
                "schema": { "type": "string", "format": "date-time" }
              },
              "All": {
                "name": "all", "in": "query", "description": "Needed where no other parameter says which.",
                "schema": { "type": "boolean" }
              },
              "Function": { "name": "function", "in": "query", "schema": { "type": "string" } },
              "Limit": { "name": "limit", "in": "query", "schema": { "type": "integer", "minimum": 0 } }
            },
            "responses": {
              "Problem": {
                "description": "What went wrong (RFC 9457).",
                "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } }
              },
              "Readiness": {
                "description": "Each condition, with the problem where it does not hold.",
                "content": { "application/json": { "schema": {
                  "type": "object", "required": ["ready", "checks"],
                  "properties": {
                    "ready": { "type": "boolean" },
                    "checks": {
                      "type": "array",
                      "items": {
                        "type": "object", "required": ["name"],
                        "properties": { "name": { "type": "string" }, "problem": { "type": "string" } }
                      }
                    }
                  }
                } } }
              },
              "DeadCount": {
                "description": "How many; `stopped` says what has kept the others.",
                "content": { "application/json": { "schema": {
                  "type": "object", "required": ["count"],
                  "properties": { "count": { "type": "integer" }, "stopped": { "type": "string" } }
                } } }
              },
              "Reload": {
                "description": "What has changed; or what is wrong with the manifests, and nothing has.",
                "content": { "application/json": { "schema": {
                  "type": "object", "required": ["reloaded", "problems", "added", "changed", "removed"],
                  "properties": {
                    "reloaded": { "type": "boolean" },
                    "problems": { "type": "array", "items": { "type": "string" } },
                    "functions": { "type": "integer", "description": "How many there are now." },
                    "added": { "type": "array", "items": { "type": "string" } },
                    "changed": {
                      "type": "array", "items": { "type": "string" },
                      "description": "Those whose manifest or handler is another."
                    },
                    "removed": { "type": "array", "items": { "type": "string" } }
                  }
                } } }
              },
              "InvocationResult": {
                "description": "What it came to; 202 when it was put into the queue.",
                "content": { "application/json": { "schema": {
                  "type": "object", "required": ["invocation", "outcome"],
                  "properties": {
                    "invocation": { "type": "string", "format": "uuid" },
                    "outcome": { "type": "string", "enum": ["succeeded", "queued"] },
                    "milliseconds": { "type": "number" },
                    "response": {
                      "type": "object", "required": ["status", "headers", "body"],
                      "properties": {
                        "status": { "type": "integer" },
                        "headers": {
                          "type": "array",
                          "items": {
                            "type": "object", "required": ["name", "value"],
                            "properties": { "name": { "type": "string" }, "value": { "type": "string" } }
                          }
                        },
                        "body": { "$ref": "#/components/schemas/Bytes" }
                      }
                    }
                  }
                } } }
              }
            },
            "schemas": {
              "Problem": {
                "type": "object", "required": ["type", "title", "status"],
                "properties": {
                  "type": { "type": "string" }, "title": { "type": "string" }, "status": { "type": "integer" },
                  "detail": { "type": "string" }, "invocation": { "type": "string", "format": "uuid" }
                }
              },
              "Bytes": {
                "type": "object", "description": "`text` where the bytes are UTF-8, `base64` otherwise.",
                "properties": { "text": { "type": "string" }, "base64": { "type": "string" } }
              },
              "Function": {
                "type": "object",
                "required": ["name", "triggers", "pool", "breaker", "outcomes", "running", "queue", "last"],
                "properties": {
                  "name": { "type": "string" }, "description": { "type": "string" },
                  "triggers": { "type": "array", "items": { "type": "string" } },
                  "pool": { "type": "object", "properties": {
                    "workers": { "type": "array", "items": { "type": "object" } },
                    "waiting": { "type": "integer" }, "running": { "type": "integer" },
                    "started": { "type": "integer" }, "backingOff": { "type": "string" }
                  } },
                  "breaker": { "type": "string", "enum": ["closed", "open", "half-open", "off"] },
                  "outcomes": { "type": "object", "additionalProperties": { "type": "integer" } },
                  "running": { "type": "integer" },
                  "queue": { "type": "object", "additionalProperties": { "type": "integer" } },
                  "last": { "type": "array", "items": { "type": "object" } }
                }
              },
              "Invocation": {
                "type": "object",
                "required": [
                  "id", "function", "trigger", "source", "event", "type", "state", "priority", "attempt", "enqueued", "due",
                  "size"
                ],
                "properties": {
                  "id": { "type": "string", "format": "uuid" }, "function": { "type": "string" },
                  "trigger": { "type": "string" }, "type": { "type": "string" }, "subject": { "type": "string" },
                  "source": { "type": "string" }, "event": { "type": "string" },
                  "state": { "type": "string" }, "attempt": { "type": "integer" },
                  "priority": { "type": "integer", "description": "Of RFC 9218: 0 runs first." },
                  "size": { "type": "integer" }, "resultExpires": { "type": "string", "format": "date-time" },
                  "enqueued": { "type": "string", "format": "date-time" },
                  "due": { "type": "string", "format": "date-time" },
                  "ended": { "type": "string", "format": "date-time" },
                  "outcome": { "type": "string" }, "reason": { "type": "string" }
                }
              },
              "InvocationRequest": {
                "type": "object",
                "properties": {
                  "trigger": { "type": "string", "enum": ["http", "timer", "file", "topic", "state"] },
                  "method": { "type": "string" }, "path": { "type": "string" },
                  "headers": { "type": "object", "additionalProperties": { "type": "string" } },
                  "data": { "type": "string", "description": "Body or data as text." },
                  "base64": { "type": "string", "description": "Body or data as base64." },
                  "event": { "type": "object", "description": "CloudEvents attributes." },
                  "async": { "type": "boolean", "description": "Put it into the queue and answer 202." },
                  "after": { "type": "string", "description": "With async: not before so much time, such as 10s." },
                  "at": { "type": "string", "format": "date-time", "description": "With async: not before." },
                  "priority": { "type": "integer", "minimum": 0, "maximum": 7, "default": 3 }
                }
              },
              "LogLine": {
                "type": "object", "required": ["time", "level", "source", "message"],
                "properties": {
                  "time": { "type": "string", "format": "date-time" }, "level": { "type": "string" },
                  "source": { "type": "string", "enum": ["log", "stdout", "stderr", "host"] },
                  "function": { "type": "string" }, "worker": { "type": "integer" },
                  "invocation": { "type": "string" }, "message": { "type": "string" },
                  "metadata": { "type": "object", "additionalProperties": { "type": "string" } }
                }
              }
            }
          }
        }
        """#
}
