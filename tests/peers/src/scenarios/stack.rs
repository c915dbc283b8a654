//! The three gRPC servers, each with an HTTP/2 of its own.

use std::fmt;
use std::time::Duration;

use crate::Failure;
use crate::peer::Peer;
use crate::tonic_server::TonicServer;
use crate::tools::Tools;

/// Which server.
#[derive(Debug, Clone, Copy)]
pub(super) enum Stack {
    Grpcio,
    GrpcJs,
    Tonic,
}

/// How a server treats its connections; what is left out is as it is by default.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Limits {
    pub(super) streams: Option<u32>,
    pub(super) age: Option<Duration>,
}

impl Stack {
    pub(super) const ALL: [Self; 3] = [Self::Grpcio, Self::GrpcJs, Self::Tonic];

    pub(super) async fn start(self, tools: &Tools, limits: Limits) -> Result<Peer, Failure> {
        let options = limits.options();
        let options: Vec<_> = options.iter().map(String::as_str).collect();
        match self {
            Self::Grpcio => Peer::start(tools.grpcio_server(0, &options)?).await,
            Self::GrpcJs => Peer::start(tools.grpc_js_server(&options)?).await,
            Self::Tonic => Ok(Peer::Tonic(TonicServer::start(limits.streams, limits.age).await?)),
        }
    }
}

impl Limits {
    /// As channel options, whose names grpcio and grpc-js share.
    fn options(self) -> Vec<String> {
        let streams = self
            .streams
            .map(|streams| format!("grpc.max_concurrent_streams={streams}"));
        let age = self
            .age
            .map(|age| format!("grpc.max_connection_age_ms={}", age.as_millis()));
        streams.into_iter().chain(age).collect()
    }
}

impl fmt::Display for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Grpcio => "grpcio",
            Self::GrpcJs => "grpc-js",
            Self::Tonic => "tonic",
        })
    }
}
