/// What `/openapi.json` answers: the API in the terms of OpenAPI 3.1 (https://spec.openapis.org/oas/v3.1.0).
///
/// Kept as JSON rather than built in Swift: tools and people read it as it stands.
enum OpenAPI {
    static let document = #"""
        {
          "openapi": "3.1.0",
          "info": {
            "title": "Apus worker API",
            "version": "1",
            "description": "State and messages for programs that run as functions. It listens on loopback, at the address in APUS_API. What is written or sent joins the invocation's effects: it is committed when the invocation succeeds, as one with all others, or not at all.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" }
          },
          "security": [{ "token": [] }],
          "paths": {
            "/state": {
              "get": {
                "summary": "Keys with their values, in the order of their bytes",
                "parameters": [
                  { "$ref": "#/components/parameters/Invocation" },
                  { "name": "prefix", "in": "query", "description": "How the keys begin.", "schema": { "type": "string" } },
                  { "name": "after", "in": "query", "description": "Only keys greater than this.", "schema": { "type": "string" } },
                  { "name": "limit", "in": "query", "schema": { "type": "integer", "minimum": 1, "maximum": 10000, "default": 100 } },
                  { "$ref": "#/components/parameters/Immediately" }
                ],
                "responses": {
                  "200": {
                    "description": "At most `limit` entries, of at most 4 MiB.",
                    "content": { "application/json": { "schema": {
                      "type": "object", "required": ["entries"],
                      "properties": {
                        "entries": { "type": "array", "items": { "$ref": "#/components/schemas/Entry" } },
                        "next": { "type": "string", "description": "More may follow: ask again with `after` set to this." }
                      }
                    } } }
                  },
                  "default": { "$ref": "#/components/responses/Problem" }
                }
              }
            },
            "/state/{key}": {
              "parameters": [
                { "$ref": "#/components/parameters/Key" },
                { "$ref": "#/components/parameters/Invocation" },
                { "$ref": "#/components/parameters/Immediately" }
              ],
              "get": {
                "summary": "The value of a key, as this invocation sees it",
                "responses": {
                  "200": { "description": "Its bytes.", "content": { "application/octet-stream": {} } },
                  "404": { "$ref": "#/components/responses/Problem" },
                  "default": { "$ref": "#/components/responses/Problem" }
                }
              },
              "put": {
                "summary": "Write a key",
                "requestBody": { "required": true, "description": "The value: at most 1 MiB.", "content": { "application/octet-stream": {} } },
                "responses": {
                  "204": { "description": "It joins the effects." },
                  "default": { "$ref": "#/components/responses/Problem" }
                }
              },
              "delete": {
                "summary": "Remove a key",
                "responses": {
                  "204": { "description": "It joins the effects; a key that is not there is fine." },
                  "default": { "$ref": "#/components/responses/Problem" }
                }
              }
            },
            "/increment/{key}": {
              "parameters": [
                { "$ref": "#/components/parameters/Key" },
                { "$ref": "#/components/parameters/Invocation" },
                { "$ref": "#/components/parameters/Immediately" }
              ],
              "post": {
                "summary": "Add to the number that a key holds; none counts as 0. Never conflicts.",
                "parameters": [
                  { "name": "by", "in": "query", "schema": { "type": "integer", "format": "int64", "default": 1 } }
                ],
                "responses": {
                  "200": {
                    "description": "The sum, as this invocation sees it.",
                    "content": { "text/plain": { "schema": { "type": "string", "pattern": "^-?[0-9]+$" } } }
                  },
                  "default": { "$ref": "#/components/responses/Problem" }
                }
              }
            },
            "/send/{target}": {
              "parameters": [
                {
                  "name": "target", "in": "path", "required": true,
                  "description": "A function's name, or a topic: each function with a trigger for it gets the message.",
                  "schema": { "type": "string" }
                },
                { "$ref": "#/components/parameters/Invocation" },
                { "$ref": "#/components/parameters/Immediately" }
              ],
              "post": {
                "summary": "Send a message",
                "description": "A CloudEvents 1.0 event in binary mode. Attributes that are missing are given by the host: id, source (/functions/ and the sender's name), type (the target) and time.",
                "parameters": [
                  {
                    "name": "after", "in": "query", "description": "Deliver it later: 500ms, 10s, 1h30m.",
                    "schema": { "type": "string", "pattern": "^([0-9]+(d|h|m|s|ms))+$" }
                  },
                  {
                    "name": "ce-subject", "in": "header",
                    "description": "Such as this one: ce- and any attribute's name; the value is percent-encoded.",
                    "schema": { "type": "string" }
                  }
                ],
                "requestBody": { "description": "The data: at most 1 MiB.", "content": { "*/*": {} } },
                "responses": {
                  "202": { "description": "It joins the effects." },
                  "404": { "$ref": "#/components/responses/Problem" },
                  "default": { "$ref": "#/components/responses/Problem" }
                }
              }
            },
            "/openapi.json": {
              "get": {
                "summary": "This document",
                "security": [],
                "responses": { "200": { "description": "OpenAPI 3.1.", "content": { "application/json": {} } } }
              }
            }
          },
          "components": {
            "securitySchemes": {
              "token": { "type": "http", "scheme": "bearer", "description": "APUS_TOKEN of the worker's process, with which it ends." }
            },
            "parameters": {
              "Invocation": {
                "name": "Apus-Invocation", "in": "header",
                "description": "The invocation to act for. May be left out where a process runs one invocation only: the contracts stdio and cgi, and instance: fresh.",
                "schema": { "type": "string", "format": "uuid" }
              },
              "Key": {
                "name": "key", "in": "path", "required": true,
                "description": "All that follows, percent-encoded; slashes belong to it. 1 to 1,024 bytes of UTF-8.",
                "schema": { "type": "string" }
              },
              "Immediately": {
                "name": "immediately", "in": "query", "allowEmptyValue": true,
                "description": "Commit this request on the spot, whatever becomes of the invocation.",
                "schema": { "type": "boolean", "default": false }
              }
            },
            "responses": {
              "Problem": {
                "description": "401: the token is not valid. 410: the invocation does not run here. 422: past a limit.",
                "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } }
              }
            },
            "schemas": {
              "Entry": {
                "type": "object", "required": ["key", "value"],
                "properties": {
                  "key": { "type": "string" },
                  "value": {
                    "type": "object",
                    "description": "Text where the bytes are UTF-8, base64 otherwise.",
                    "properties": { "text": { "type": "string" }, "base64": { "type": "string", "contentEncoding": "base64" } }
                  }
                }
              },
              "Problem": {
                "type": "object", "required": ["type", "title", "status"],
                "properties": {
                  "type": { "type": "string" },
                  "title": { "type": "string" },
                  "status": { "type": "integer" },
                  "detail": { "type": "string" },
                  "invocation": { "type": "string", "format": "uuid" }
                }
              }
            }
          }
        }

        """#
}
