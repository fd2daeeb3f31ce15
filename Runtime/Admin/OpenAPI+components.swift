extension OpenAPI {
    /// What several paths refer to.
    static let components = #"""
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
                "type": "object", "additionalProperties": false,
                "properties": {
                  "trigger": { "type": "string", "enum": ["http", "timer", "file", "topic", "state"] },
                  "method": { "type": "string" }, "path": { "type": "string" },
                  "headers": { "type": "object", "additionalProperties": { "type": "string" } },
                  "data": { "type": "string", "description": "Body or data as text." },
                  "base64": { "type": "string", "description": "Body or data as base64." },
                  "event": {
                    "type": "object", "description": "CloudEvents attributes.", "additionalProperties": false,
                    "properties": {
                      "id": { "type": "string" }, "source": { "type": "string" }, "type": { "type": "string" },
                      "subject": { "type": "string" }, "time": { "type": "string", "format": "date-time" },
                      "datacontenttype": { "type": "string" },
                      "extensions": { "type": "object", "additionalProperties": { "type": "string" } }
                    }
                  },
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
        """#
}
