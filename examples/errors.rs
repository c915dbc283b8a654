//! What a failed call tells: where, in which phase, after how many attempts, and whether it was sent.

use std::time::Duration;

use examples::helloworld::HelloRequest;
use pool_runtime::{Error, Pool, pooled_client};
use tonic::{Request, Status};

#[pooled_client(examples::helloworld::greeter_client::GreeterClient, deadline = "2s")]
struct Greeter;

fn explain(what: &str, status: &Status) {
    println!("{what}\n  {:?}: {}", status.code(), status.message());
    if let Some(error) = Error::of(status) {
        println!(
            "  phase {:?}, attempts {}, was sent: {}",
            error.phase(),
            error.attempts(),
            error.was_sent()
        );
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = examples::serve(10).await?;
    let pool = Pool::builder(format!("http://{address}")).build()?;
    let greeter = Greeter::new(pool);

    // The server takes 20 ms; this call has 5. The shortest of all deadlines holds.
    let mut request = Request::new(HelloRequest::default());
    request.set_timeout(Duration::from_millis(5));
    if let Err(status) = greeter.say_hello(request).await {
        explain("too slow", &status);
    }

    // Nobody listens on the port of a listener that is gone.
    let gone = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let nobody = Greeter::connect_lazy(format!("http://{gone}"))?;
    if let Err(status) = nobody.say_hello(HelloRequest::default()).await {
        explain("nobody there", &status);
    }

    greeter.pool().close();
    if let Err(status) = greeter.say_hello(HelloRequest::default()).await {
        explain("closed", &status);
    }

    // Bad settings are found when the pool is built, and named.
    if let Err(error) = Pool::builder("http://localhost:50051").max_connections(0).build() {
        println!("bad setting\n  {error}");
    }
    Ok(())
}
