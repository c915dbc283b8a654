//! Metadata on every call, and what else can be set on a client.

use std::time::Duration;

use examples::helloworld::HelloRequest;
use pool_runtime::{Pool, pooled_client};
use tonic::metadata::MetadataValue;
use tonic::{Request, Status};

#[pooled_client(examples::helloworld::greeter_client::GreeterClient)]
struct Greeter;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = examples::serve(100).await?;
    let pool = Pool::builder(format!("http://{address}"))
        .user_agent("example/1.0")
        .build()?;

    let token: MetadataValue<_> = "Bearer some-token".parse()?;
    let greeter = Greeter::new(pool.clone())
        .with_interceptor(move |mut request: Request<()>| {
            request.metadata_mut().insert("authorization", token.clone());
            Ok(request)
        })
        .with_deadline(Duration::from_millis(500))
        .max_decoding_message_size(64 << 10);
    println!(
        "{}",
        greeter.say_hello(HelloRequest::default()).await?.into_inner().message
    );

    // Another client over the same pool: settings belong to the client, connections to the pool.
    let locked = Greeter::new(pool).with_interceptor(|_: Request<()>| Err(Status::permission_denied("not today")));
    if let Err(status) = locked.say_hello(HelloRequest::default()).await {
        println!("{}", status.message());
    }
    Ok(())
}
