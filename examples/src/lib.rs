//! What the examples share: the generated code, and a server to talk to.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_stream::StreamExt;
use tonic::codegen::BoxStream;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status, Streaming};

/// The client, the server and the messages that pool-build made of `helloworld.proto`.
#[allow(missing_docs, reason = "generated")]
pub mod helloworld {
    tonic::include_proto!("helloworld");
}

use helloworld::greeter_server::{Greeter, GreeterServer};
use helloworld::{HelloReply, HelloRequest};

type Replies = BoxStream<HelloReply>;

struct Polite;

fn greet(request: &HelloRequest) -> HelloReply {
    HelloReply {
        message: format!("Hello {}!", request.name),
    }
}

#[tonic::async_trait]
impl Greeter for Polite {
    async fn say_hello(&self, request: Request<HelloRequest>) -> Result<Response<HelloReply>, Status> {
        tokio::time::sleep(Duration::from_millis(20)).await;
        Ok(Response::new(greet(request.get_ref())))
    }

    async fn say_many_hellos(&self, request: Request<HelloRequest>) -> Result<Response<Replies>, Status> {
        let request = request.into_inner();
        let replies = (0..request.times).map(move |_| Ok(greet(&request)));
        Ok(Response::new(Box::pin(tokio_stream::iter(replies.collect::<Vec<_>>()))))
    }

    async fn say_hello_to_all(
        &self,
        request: Request<Streaming<HelloRequest>>,
    ) -> Result<Response<HelloReply>, Status> {
        let mut names = Vec::new();
        let mut requests = request.into_inner();
        while let Some(request) = requests.message().await? {
            names.push(request.name);
        }
        let name = names.join(" and ");
        Ok(Response::new(greet(&HelloRequest { name, times: 1 })))
    }

    async fn chat(&self, request: Request<Streaming<HelloRequest>>) -> Result<Response<Replies>, Status> {
        let replies = request
            .into_inner()
            .map(|request| request.map(|request| greet(&request)));
        Ok(Response::new(Box::pin(replies)))
    }
}

/// The service of all servers here.
pub fn greeter() -> GreeterServer<impl Greeter> {
    GreeterServer::new(Polite)
}

/// Starts a server on a free port of this machine, which allows so many streams on a connection. It ends with the
/// program.
///
/// # Errors
///
/// No port could be bound.
pub async fn serve(max_streams: u32) -> io::Result<SocketAddr> {
    start(Server::builder().max_concurrent_streams(max_streams)).await
}

/// The same with TLS.
///
/// # Errors
///
/// No port could be bound, or the certificates cannot be used.
#[cfg(feature = "tls")]
pub async fn serve_tls(tls: tonic::transport::ServerTlsConfig) -> io::Result<SocketAddr> {
    start(Server::builder().tls_config(tls).map_err(io::Error::other)?).await
}

async fn start(mut server: Server) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = server.add_service(greeter());
    // A server that is given its listener does not set TCP_NODELAY by itself, and small answers would wait.
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    tokio::spawn(server.serve_with_incoming(incoming));
    Ok(address)
}

/// The README's code compiles as it stands.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
