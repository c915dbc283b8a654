//! Three servers in a chain, each of which asks the next: they work on the first caller's time, and stop with it.

use std::time::Duration;

use examples::helloworld::greeter_server::{Greeter, GreeterServer};
use examples::helloworld::{HelloReply, HelloRequest};
use pool_runtime::{InheritLayer, Inherited, pooled_client};
use tonic::transport::{Server, server::TcpIncoming};
use tonic::{Request, Response, Status};

#[pooled_client(examples::helloworld::greeter_client::GreeterClient)]
struct Client;

/// The last one never answers.
struct Station {
    name: &'static str,
    next: Option<Client>,
}

struct Working(String);

impl Drop for Working {
    fn drop(&mut self) {
        println!("{} and stops", self.0);
    }
}

#[tonic::async_trait]
impl Greeter for Station {
    async fn say_hello(&self, request: Request<HelloRequest>) -> Result<Response<HelloReply>, Status> {
        let time = Inherited::current().and_then(|call| call.time_left());
        let _working = Working(format!("{} had {time:?}", self.name));
        tokio::time::sleep(Duration::from_millis(50)).await;
        match &self.next {
            Some(next) => next.say_hello(request.into_inner()).await,
            None => std::future::pending().await,
        }
    }
}

fn start(name: &'static str, next: Option<Client>) -> Result<Client, Box<dyn std::error::Error>> {
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse()?)?.with_nodelay(Some(true));
    let uri = format!("http://{}", incoming.local_addr()?);
    let mut server = Server::builder().layer(InheritLayer::new());
    let server = server.add_service(GreeterServer::new(Station { name, next }));
    tokio::spawn(server.serve_with_incoming(incoming));
    Ok(Client::connect_lazy(uri)?)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let third = start("the third", None)?;
    let second = start("the second", Some(third))?;
    let first = start("the first", Some(second))?.with_deadline(Duration::from_millis(400));
    if let Err(status) = first.say_hello(HelloRequest::default()).await {
        println!("{}", status.message());
    }
    tokio::time::sleep(Duration::from_millis(100)).await; // The last of them hears of it.
    Ok(())
}
