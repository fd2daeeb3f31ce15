extension OpenAPI {
    /// Paths of the queue: asynchronous invocations and dead letters.
    static let invocations = #"""
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
                "summary": "Cancel it, also once more; 409 when it has ended otherwise",
                "responses": {
                  "200": {
                    "description": "The state that it was in; `done` when it was cancelled before.",
                    "content": { "application/json": { "schema": {
                      "type": "object", "required": ["cancelled"],
                      "properties": { "cancelled": { "type": "string", "enum": ["waiting", "running", "done"] } }
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
            }
        """#
}
