//! The server that every variant is measured against: tonic's own, which answers with what it was sent.

use std::net::SocketAddr;
use std::pin::Pin;

use tokio::net::TcpListener;
use tokio_stream::{Stream, StreamExt};
use tonic::transport::server::{Server, TcpIncoming};
use tonic::{Request, Response, Status, Streaming};

use crate::Failure;
use crate::helloworld::greeter_server::{Greeter, GreeterServer};
use crate::helloworld::{HelloReply, HelloRequest};

/// More than any variant has in flight: what is measured is the client, not how it copes with a limit.
const MAX_STREAMS: u32 = 1 << 14;

/// A greeting that gets no answer.
pub const UNANSWERED: &str = "unanswered";

type Replies = Pin<Box<dyn Stream<Item = Result<HelloReply, Status>> + Send>>;

struct Echo;

fn reply(request: HelloRequest) -> HelloReply {
    HelloReply { message: request.name }
}

#[tonic::async_trait]
impl Greeter for Echo {
    async fn say_hello(&self, request: Request<HelloRequest>) -> Result<Response<HelloReply>, Status> {
        if request.get_ref().name == UNANSWERED {
            std::future::pending::<()>().await;
        }
        Ok(Response::new(reply(request.into_inner())))
    }

    type SayManyHellosStream = Replies;

    async fn say_many_hellos(&self, request: Request<HelloRequest>) -> Result<Response<Replies>, Status> {
        let request = request.into_inner();
        let times = request.times;
        let replies = (0..times).map(move |_| Ok(reply(request.clone())));
        Ok(Response::new(Box::pin(tokio_stream::iter(replies))))
    }

    async fn say_hello_to_all(
        &self,
        request: Request<Streaming<HelloRequest>>,
    ) -> Result<Response<HelloReply>, Status> {
        let mut requests = request.into_inner();
        let mut last = HelloRequest::default();
        while let Some(request) = requests.message().await? {
            last = request;
        }
        Ok(Response::new(reply(last)))
    }

    type ChatStream = Replies;

    async fn chat(&self, request: Request<Streaming<HelloRequest>>) -> Result<Response<Replies>, Status> {
        let replies = request.into_inner().map(|request| request.map(reply));
        Ok(Response::new(Box::pin(replies)))
    }
}

/// Serves until the process ends; `ready` is told the address.
///
/// # Errors
///
/// No port could be bound, or the server failed.
pub async fn serve(ready: impl FnOnce(SocketAddr)) -> Result<(), Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    ready(listener.local_addr()?);
    // The server's own `tcp_nodelay` is for listeners of its own making. Without it, Nagle's algorithm makes each
    // stream of small messages wait for a delayed ACK, and all clients measure as slow as that.
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    Server::builder()
        .max_concurrent_streams(MAX_STREAMS)
        .initial_stream_window_size(2 << 20)
        .initial_connection_window_size(5 << 20)
        .add_service(GreeterServer::new(Echo))
        .serve_with_incoming(incoming)
        .await?;
    Ok(())
}
