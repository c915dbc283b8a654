//! What happens in a pool, told to an observer: for metrics and logs of one's own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use examples::helloworld::HelloRequest;
use pool_runtime::{Event, Observer, Pool, pooled_client};

#[pooled_client(examples::helloworld::greeter_client::GreeterClient)]
struct Greeter;

#[derive(Clone, Default)]
struct Meter {
    calls: Arc<AtomicU64>,
}

impl Observer for Meter {
    fn on_event(&self, event: &Event<'_>) {
        match event {
            Event::CheckedOut { .. } => {
                self.calls.fetch_add(1, Relaxed);
            }
            Event::Opened { connection, took, .. } => println!("connection {connection} is up after {took:?}"),
            Event::Closed { connection, reason, .. } => println!("connection {connection} is closed: {reason}"),
            Event::Failed { error, .. } => println!("{error}"),
            _ => {}
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = examples::serve(100).await?;
    let meter = Meter::default();
    let pool = Pool::builder(format!("http://{address}"))
        .max_total_uses(2)
        .observer(meter.clone())
        .build()?;
    let greeter = Greeter::new(pool);
    for _ in 0..5 {
        greeter.say_hello(HelloRequest::default()).await?;
    }
    let report = greeter.pool().shutdown(Duration::from_secs(1)).await;
    println!("{} calls; {report:?}", meter.calls.load(Relaxed));
    Ok(())
}
