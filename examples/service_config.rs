//! gRPC's service config: what the owners of a service say of its calls, in JSON, as they keep it for all clients.

use examples::helloworld::HelloRequest;
use pool_runtime::{CallOptions, Pool, pooled_client};
use tonic::Request;

#[pooled_client(examples::helloworld::greeter_client::GreeterClient)]
struct Greeter;

/// A call of `SayHello` may take 5 ms: too little for the server of the examples, which takes 20.
const IMPATIENT: &str = r#"{
    "methodConfig": [{
        "name": [{ "service": "helloworld.Greeter", "method": "SayHello" }],
        "timeout": "0.005s"
    }]
}"#;

/// A whole second, and up to four attempts; no more than two connections, whatever the pool would like.
const PATIENT: &str = r#"{
    "methodConfig": [{
        "name": [{ "service": "helloworld.Greeter" }],
        "timeout": "1s",
        "retryPolicy": {
            "maxAttempts": 4,
            "initialBackoff": "0.1s",
            "maxBackoff": "1s",
            "backoffMultiplier": 2,
            "retryableStatusCodes": ["UNAVAILABLE"]
        }
    }],
    "connectionScaling": { "maxConnectionsPerSubchannel": 2 }
}"#;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = examples::serve(100).await?;
    let pool = Pool::builder(format!("http://{address}"))
        .service_config(IMPATIENT)
        .build()?;
    let greeter = Greeter::new(pool.clone());
    if let Err(status) = greeter.say_hello(HelloRequest::default()).await {
        println!("{}: {}", status.code(), status.message());
    }

    // Replaced while the pool is in use. One that is wrong is refused, and the old one stays.
    pool.set_service_config(PATIENT)?;
    if let Err(error) = pool.set_service_config(&PATIENT.replace("\"1s\"", "1")) {
        println!("{error}");
    }
    let mut request = Request::new(HelloRequest::default());
    // For this call alone.
    request.extensions_mut().insert(CallOptions::new().no_retry());
    println!("{}", greeter.say_hello(request).await?.into_inner().message);
    println!("{}", pool.stats());
    Ok(())
}
