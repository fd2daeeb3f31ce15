package import Events
package import Manifests

/// What a runtime finds in its environment, besides what every worker does
/// (https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html).
package struct LambdaEnvironment {
    package let variables: [String: String]

    /// - Parameters:
    ///   - port: of the Runtime API on 127.0.0.1.
    ///   - worker: its number within the host.
    package init(_ manifest: Manifest, port: Int, worker: Int, now: WallTime) {
        let function = LambdaFunction(manifest)
        let directory = manifest.handler.directory
        let day = now.description.prefix(10).split(separator: "-").joined(separator: "/")
        var variables = [
            "_HANDLER": Self.handler(of: manifest.handler.command),
            "AWS_LAMBDA_FUNCTION_NAME": manifest.name,
            "AWS_LAMBDA_FUNCTION_VERSION": LambdaFunction.version,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": String(manifest.limits.memory >> 20),
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/\(manifest.name)",
            "AWS_LAMBDA_LOG_STREAM_NAME": "\(day)/[\(LambdaFunction.version)]\(worker)",
            "AWS_EXECUTION_ENV": "AWS_Lambda_provided",
            "AWS_REGION": function.region,
            "AWS_DEFAULT_REGION": function.region,
            "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
            "LAMBDA_TASK_ROOT": directory,
            "LAMBDA_RUNTIME_DIR": directory,
        ]
        // What the manifest says goes before, but for the endpoint, without which there is no function.
        variables.merge(manifest.environment.filter { variables[$0.key] != nil }) { _, declared in declared }
        variables["AWS_LAMBDA_RUNTIME_API"] = "127.0.0.1:\(port)"
        self.variables = variables
    }

    /// The last word of the command, as `python3 -m awslambdaric handler.handler` has it; of a program alone its name.
    private static func handler(of command: [String]) -> String {
        guard let last = command.last else { return "" }
        return command.count > 1 ? last : String(last.split(separator: "/").last ?? "")
    }
}
