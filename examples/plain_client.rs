//! tonic's own clients over the pool, and over a slot that was checked out by hand.

use examples::helloworld::HelloRequest;
use examples::helloworld::greeter_client::GreeterClient;
use pool_runtime::Pool;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = examples::serve(100).await?;
    let pool = Pool::connect(format!("http://{address}")).await?;

    // Every call checks a slot out and gives it back.
    let mut client = GreeterClient::new(pool.clone());
    let reply = client.say_hello(HelloRequest::default()).await?;
    println!("over the pool: {}", reply.into_inner().message);

    // All calls go over one slot of one connection, until the client is dropped.
    let lease = pool.acquire().await?;
    println!("connection {} is {:?} old", lease.connection_id(), lease.age());
    let mut client = GreeterClient::new(lease);
    for _ in 0..3 {
        client.say_hello(HelloRequest::default()).await?;
    }
    println!("while the lease is held: {} in flight", pool.stats().in_flight);
    drop(client);
    println!("given back: {} in flight", pool.stats().in_flight);
    Ok(())
}
