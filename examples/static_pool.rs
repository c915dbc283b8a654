//! A pool with a name: a static that anything in the program may use.

use std::sync::{LazyLock, OnceLock};

use examples::helloworld::HelloRequest;
use pool_runtime::{Pool, pooled_client};

#[pooled_client(examples::helloworld::greeter_client::GreeterClient)]
struct Greeter;

static TARGET: OnceLock<String> = OnceLock::new();

/// Made with its first use; that needs no runtime and does no I/O.
static GREETER: LazyLock<Greeter> = LazyLock::new(|| {
    let target = TARGET.get().expect("set at the beginning of main");
    Greeter::new(Pool::builder(target).build().expect("a target that can be parsed"))
});

async fn greet(name: &str) -> Result<String, tonic::Status> {
    let request = HelloRequest {
        name: name.into(),
        times: 1,
    };
    Ok(GREETER.say_hello(request).await?.into_inner().message)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = examples::serve(100).await?;
    TARGET.get_or_init(|| format!("http://{address}"));

    let (one, two) = tokio::join!(greet("one"), greet("two"));
    println!("{}\n{}\n{}", one?, two?, GREETER.pool().stats());
    Ok(())
}
