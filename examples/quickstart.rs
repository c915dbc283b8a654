//! Calls of all four shapes through a pool, many of them at once, with the server inside.

use std::error::Error;
use std::time::{Duration, Instant};

use examples::helloworld::HelloRequest;
use pool_runtime::{Pool, pooled_client};
use tokio::task::JoinSet;

#[pooled_client(
    examples::helloworld::greeter_client::GreeterClient,
    deadline = "2s",
    say_hello(deadline = "1s")
)]
struct Greeter;

fn hello(name: impl Into<String>) -> HelloRequest {
    HelloRequest {
        name: name.into(),
        times: 3,
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // The server allows 10 calls at once on a connection; the pool opens further connections as calls need them.
    let address = examples::serve(10).await?;
    let pool = Pool::builder(format!("http://{address}")).max_connections(8).build()?;
    let greeter = Greeter::new(pool);

    let reply = greeter.say_hello(hello("one")).await?.into_inner();
    println!("unary:            {}", reply.message);

    let mut replies = greeter.say_many_hellos(hello("many")).await?.into_inner();
    while let Some(reply) = replies.message().await? {
        println!("server streaming: {}", reply.message);
    }

    let names = tokio_stream::iter([hello("Ann"), hello("Bob")]);
    let reply = greeter.say_hello_to_all(names).await?.into_inner();
    println!("client streaming: {}", reply.message);

    let names = tokio_stream::iter([hello("Cy"), hello("Di")]);
    let mut replies = greeter.chat(names).await?.into_inner();
    while let Some(reply) = replies.message().await? {
        println!("both streaming:   {}", reply.message);
    }

    // 400 calls of 20 ms at once. A call is `&self`, from any task.
    let began = Instant::now();
    let mut calls = JoinSet::new();
    for n in 0..400 {
        let greeter = greeter.clone();
        calls.spawn(async move { greeter.say_hello(hello(format!("caller {n}"))).await });
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    println!("\nwhile 400 calls run:\n{}", greeter.pool().stats());
    let mut answered = 0;
    while let Some(reply) = calls.join_next().await {
        reply??;
        answered += 1;
    }
    println!(
        "\n{answered} answers in {:?}:\n{}",
        began.elapsed(),
        greeter.pool().stats()
    );

    let report = greeter.pool().shutdown(Duration::from_secs(1)).await;
    println!("\nshut down: {report:?}");
    Ok(())
}
