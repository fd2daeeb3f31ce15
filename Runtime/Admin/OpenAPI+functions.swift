extension OpenAPI {
    /// Paths of functions, and of calling one by hand.
    static let functions = #"""
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
            }
        """#
}
