//! A test without sockets: the server is at the other end of a pipe in memory, so the clock can be paused.
//!
//! A paused clock jumps to the next timer whenever no task can run. While bytes are on their way through a socket no
//! task can run, so deadlines and keepalive run out that are far off. Through a pipe, bytes arrive at once.

use std::io;
use std::time::Duration;

use examples::helloworld::HelloRequest;
use pool_runtime::{Connector, Pool, Target, pooled_client};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::transport::Server;

#[pooled_client(examples::helloworld::greeter_client::GreeterClient, deadline = "2s")]
struct Greeter;

/// Each connection is a pipe of 64 KiB in each direction, whose other end goes to the server.
fn server_in_memory() -> impl Connector {
    let (server_ends, incoming) = mpsc::unbounded_channel();
    let server = Server::builder().add_service(examples::greeter());
    tokio::spawn(server.serve_with_incoming(UnboundedReceiverStream::new(incoming)));
    move |_: Target| {
        let (ours, servers) = tokio::io::duplex(64 << 10);
        let sent = server_ends.send(io::Result::Ok(servers));
        std::future::ready(sent.map(|()| ours).map_err(io::Error::other))
    }
}

// In a test: #[tokio::test(start_paused = true)]
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tokio::time::pause();
    let pool = Pool::builder("http://in.memory")
        .connector(server_in_memory())
        .keep_alive_interval(Duration::from_secs(10))
        .build()?;
    let greeter = Greeter::new(pool.clone());
    let began = Instant::now();
    let request = HelloRequest {
        name: "you".into(),
        times: 1,
    };
    println!("{}", greeter.say_hello(request.clone()).await?.into_inner().message);

    // An hour of the paused clock takes no time: the idle connection closes, and the next call opens another.
    sleep(Duration::from_secs(3600)).await;
    greeter.say_hello(request).await?;
    assert_eq!(pool.stats().opened, 2);
    println!("{} s later:\n{}", began.elapsed().as_secs(), pool.stats());
    Ok(())
}
