//! The callers: every shape of call, cancelled at any point, over pools that are resized, marked as broken and closed
//! meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use pool_runtime::{Pool, pooled_client};
use tests::pb::test_service_client::TestServiceClient;
use tests::pb::{Script, TestRequest};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tonic::{Request, Status};

/// Callers of each pool that call one after the other.
const CALLERS: usize = 16;

/// Every call is over by then.
pub(crate) const DEADLINE: Duration = Duration::from_millis(500);

#[pooled_client(tests::pb::test_service_client::TestServiceClient)]
pub(crate) struct Client;

/// The pools, one for each server, and what came of their calls.
pub(crate) struct Load {
    pub(crate) pools: Vec<Pool>,
    pub(crate) results: Arc<Vec<Results>>,
}

/// How many calls ended how.
#[derive(Debug, Default)]
pub(crate) struct Results {
    pub(crate) succeeded: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) cancelled: AtomicU64,
}

impl Load {
    pub(crate) fn new(uris: &[String]) -> Self {
        let pools = uris.iter().map(|uri| pool(uri)).collect();
        let results = Arc::new(uris.iter().map(|_| Results::default()).collect());
        Self { pools, results }
    }

    /// Calls for this long; all calls are over when it returns.
    pub(crate) async fn run(&self, time: Duration) {
        let end = Instant::now() + time;
        let mut callers = JoinSet::new();
        for (index, pool) in self.pools.iter().enumerate() {
            for _ in 0..CALLERS {
                let (pool, results) = (pool.clone(), self.results.clone());
                callers.spawn(async move {
                    while Instant::now() < end {
                        call(&pool, &results[index]).await;
                    }
                });
            }
            callers.spawn(handle(pool.clone(), end));
        }
        while callers.join_next().await.is_some() {}
    }

    pub(crate) async fn close(self) {
        for pool in &self.pools {
            pool.shutdown(DEADLINE).await;
        }
    }
}

fn pool(uri: &str) -> Pool {
    let backoff = pool_runtime::Backoff {
        base: Duration::from_millis(50),
        max: Duration::from_millis(500),
        ..pool_runtime::Backoff::default()
    };
    Pool::builder(uri)
        .max_connections(4)
        .max_concurrent_streams(20)
        .max_lifetime(Duration::from_secs(3))
        .idle_timeout(Duration::from_secs(1))
        .connect_timeout(Duration::from_secs(1))
        .backoff(backoff)
        .build()
        .expect("the settings are in order")
}

/// One call; one of ten is dropped before its end.
async fn call(pool: &Pool, results: &Results) {
    let making = make(pool);
    let result = if fastrand::u8(..10) == 0 {
        timeout(Duration::from_micros(fastrand::u64(..5_000)), making).await
    } else {
        Ok(making.await)
    };
    let count = match result {
        Ok(Ok(())) => &results.succeeded,
        Ok(Err(_)) => &results.failed,
        Err(_) => &results.cancelled,
    };
    count.fetch_add(1, Relaxed);
    if !matches!(result, Ok(Ok(()))) {
        // Callers that fail at once would do nothing else.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn timed<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(DEADLINE);
    request
}

async fn make(pool: &Pool) -> Result<(), Status> {
    let client = Client::new(pool.clone());
    let message = TestRequest {
        payload: vec![7; [10, 1_000, 100_000][fastrand::usize(..3)]],
        script: Some(Script {
            replies: 3,
            delay_ms: fastrand::u32(..5),
            ..Script::default()
        }),
    };
    let requests = tokio_stream::iter(vec![message.clone(); 3]);
    match fastrand::u8(..8) {
        0 => {
            let mut replies = client.server_stream(timed(message)).await?.into_inner();
            while replies.message().await?.is_some() {}
        }
        1 => drop(client.client_stream(timed(requests)).await?),
        2 => {
            let mut replies = client.bidi(timed(requests)).await?.into_inner();
            while replies.message().await?.is_some() {}
        }
        3 => drop(TestServiceClient::new(pool.clone()).unary(timed(message)).await?),
        4 => {
            let lease = pool.acquire().await.map_err(Status::from)?;
            if fastrand::u8(..50) == 0 {
                lease.mark_broken();
            }
            drop(TestServiceClient::new(lease).unary(timed(message)).await?);
        }
        _ => drop(client.unary(timed(message)).await?),
    }
    Ok(())
}

/// What is done with a pool beside its calls.
async fn handle(pool: Pool, end: Instant) {
    while Instant::now() < end {
        let max = fastrand::usize(1..=6);
        pool.resize(fastrand::usize(..=max.min(2)), max).expect("in order");
        // Nobody waits for that: a pool that cannot connect says so.
        let _ = timeout(DEADLINE, pool.ready(1)).await;
        tokio::time::sleep(Duration::from_millis(fastrand::u64(..300))).await;
    }
    pool.resize(0, 4).expect("in order");
}
