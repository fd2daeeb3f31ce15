/// What `/v1/openapi.json` answers: the API in the terms of OpenAPI 3.1 (https://spec.openapis.org/oas/v3.1.0).
///
/// Kept as JSON rather than built in Swift: tools and people read it as it stands. Here is what is the host's own; other
/// subjects have a file each.
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
        \#(functions),
        \#(invocations),
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
        \#(state),
            "/v1/openapi.json": {
              "get": { "summary": "This document", "responses": { "200": { "description": "OpenAPI 3.1." } } }
            }
          },
          "components": {
        \#(components)
          }
        }
        """#
}
