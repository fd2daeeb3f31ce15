extension OpenAPI {
    /// Paths of the state, and of how it is stored.
    static let state = #"""
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
            }
        """#
}
