//! Calls without end, a third of which are dropped at points of chance: afterwards nothing is left of them.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use pool_runtime::Pool;
use tests::pb::Script;
use tests::server::TestServer;
use tests::within;
use tokio::task::JoinSet;
use tonic::Status;

use super::{Client, apart_on, lasting, no_task_is_left, scripted, two_threads, until};

/// How many calls a run makes. `POOL_STORM_CALLS=100000` is the figure that the pool is held to: measured unoptimized,
/// on two cores with other work to do, it takes two minutes, and this one 4 to 10 seconds.
const CALLS: usize = 10_000;

/// How many calls are under way at once: more than there are streams, so that some are dropped while they wait.
const CALLERS: usize = 64;

const SEED: u64 = 0x5eed;

/// Drops a call after it has been polled so often. A call is polled a few times: when it starts, when it gets its
/// slot, when its response begins, and for what comes of it.
struct DropAfter<F> {
    call: Pin<Box<F>>,
    polls: u32,
}

impl<F: Future> Future for DropAfter<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.polls == 0 {
            return Poll::Ready(None);
        }
        self.polls -= 1;
        if let Poll::Ready(output) = self.call.as_mut().poll(cx) {
            return Poll::Ready(Some(output));
        }
        if self.polls == 0 {
            // Nothing will wake this call: it is dropped here, in the middle of whatever it waits for.
            return Poll::Ready(None);
        }
        Poll::Pending
    }
}

/// A call of one of three kinds, to its end.
async fn call(client: &Client, random: &mut fastrand::Rng) -> Result<(), Status> {
    // Now and then a call takes its time, so that others queue up behind it.
    let delay = u32::from(random.u8(0..8) == 0);
    if random.u8(0..8) > 0 {
        return client.unary(lasting(delay)).await.map(drop);
    }
    let script = Script {
        replies: 3,
        delay_ms: delay,
        ..Script::default()
    };
    let mut replies = match random.bool() {
        true => client.server_stream(scripted(script)).await?.into_inner(),
        false => {
            let requests = tokio_stream::iter(vec![scripted(script); 3]);
            client.bidi(requests).await?.into_inner()
        }
    };
    while replies.message().await?.is_some() {}
    Ok(())
}

/// One after the other, until there are no more to make. Says how many were dropped.
async fn caller(client: Client, mut random: fastrand::Rng, left: Arc<AtomicUsize>) -> usize {
    let mut dropped = 0;
    while left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok() {
        let polls = match random.u8(0..5) {
            // Few calls are polled more often than that, and those that are not come to their end.
            0 | 1 => random.u32(0..4),
            _ => u32::MAX,
        };
        let mut choices = random.fork();
        let call = DropAfter {
            call: Box::pin(call(&client, &mut choices)),
            polls,
        };
        match call.await {
            Some(outcome) => outcome.expect("no call fails because others are dropped"),
            None => dropped += 1,
        }
    }
    dropped
}

#[test]
fn calls_dropped_at_any_point_leave_nothing_behind() {
    let calls = std::env::var("POOL_STORM_CALLS").map_or(CALLS, |calls| calls.parse().unwrap());
    let server = TestServer::builder()
        .max_concurrent_streams(8)
        .tolerate_resets(usize::MAX);
    apart_on(two_threads(), server, async move |server| {
        let began = Instant::now();
        let pool = Pool::builder(server.uri()).max_connections(4).build().unwrap();
        let left = Arc::new(AtomicUsize::new(calls));
        let mut random = fastrand::Rng::with_seed(SEED);
        let mut callers = JoinSet::new();
        for _ in 0..CALLERS {
            callers.spawn(caller(Client::new(pool.clone()), random.fork(), left.clone()));
        }
        let dropped: usize = callers.join_all().await.into_iter().sum();
        println!("{dropped} of {calls} calls dropped, {:?}", began.elapsed());
        assert!(dropped > calls / 5, "{dropped} of {calls}");

        let stats = until(&pool, |stats| stats.in_flight == 0 && stats.waiting == 0).await;
        server.until(|stats| stats.streams_now == 0).await;
        assert_eq!(stats.cut, 0);
        // All slots can be had: none is lost.
        let mut leases = Vec::new();
        within("all slots", async {
            for _ in 0..4 * 8 {
                leases.push(pool.acquire().await.unwrap());
            }
        })
        .await;
        assert!(pool.try_acquire().unwrap_err().is_exhausted());
        drop(leases);
        within("shutdown", pool.shutdown(Duration::from_secs(1))).await;
        no_task_is_left().await;
        server.until(|stats| stats.connections_now == 0).await;
    });
}
