//! Pools and the runtimes they are used on: none, one, one after the other, several at once.

use std::cell::Cell;
use std::pin::pin;
use std::rc::Rc;
use std::sync::LazyLock;
use std::task::Poll;
use std::time::Duration;

use pool_runtime::{Error, Pool};
use tests::pb::Script;
use tests::pb::test_service_client::TestServiceClient;
use tests::server::TestServer;
use tests::within;
use tokio::runtime::{Builder, Runtime};
use tonic::{Code, Request};

use super::{Client, lasting, poll_once};

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// A runtime that works by itself.
fn working() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(1).enable_all().build().unwrap()
}

/// A server on a runtime of its own.
fn server() -> (Runtime, TestServer) {
    let runtime = working();
    let server = runtime.block_on(TestServer::start());
    (runtime, server)
}

static SERVER: LazyLock<(Runtime, TestServer)> = LazyLock::new(server);
static POOL: LazyLock<Pool> = LazyLock::new(|| Pool::connect_lazy(SERVER.1.uri()).unwrap());

#[test]
fn a_pool_in_a_static_serves_one_runtime_after_the_other() {
    LazyLock::force(&SERVER);
    for _ in 0..3 {
        runtime().block_on(async {
            let reply = Client::new(POOL.clone()).unary(lasting(0)).await;
            assert_eq!(reply.unwrap().into_inner().payload, b"payload");
        });
    }
    assert_eq!(SERVER.1.stats().streams_total, 3);
}

#[test]
fn a_runtime_that_ends_takes_its_connections_along_and_not_the_pool() {
    let (_elsewhere, server) = server();
    let pool = Pool::builder(server.uri()).min_connections(2).build().unwrap();
    let first = runtime();
    first.block_on(pool.ready(2)).unwrap();
    drop(first);
    assert_eq!(pool.stats().connections.len(), 0, "{}", pool.stats());

    runtime().block_on(async {
        within("a call", Client::new(pool.clone()).unary(lasting(0)))
            .await
            .unwrap();
        server.until(|stats| stats.connections_total >= 3).await;
    });
}

#[test]
fn a_call_whose_connection_goes_with_another_runtime_is_told() {
    let (_elsewhere, server) = server();
    let pool = Pool::connect_lazy(server.uri()).unwrap();
    let first = runtime();
    first.block_on(pool.ready(1)).unwrap();
    let second = runtime();
    let client = Client::new(pool.clone());
    let call = second.spawn(async move { client.unary(super::hanging()).await });
    std::thread::scope(|threads| {
        threads.spawn(|| {
            let status = second
                .block_on(within("the end of its connection", call))
                .unwrap()
                .unwrap_err();
            assert_eq!(status.code(), Code::Unavailable, "{status}");
        });
        first.block_on(server.until(|stats| stats.streams_now == 1));
        drop(first);
    });
}

#[test]
fn two_runtimes_share_a_pool_at_once() {
    let (_elsewhere, server) = server();
    let pool = Pool::builder(server.uri())
        .max_concurrent_streams(2)
        .max_connections(3)
        .build()
        .unwrap();
    // Each drives its connections for as long as it is there, whoever calls.
    let runtimes = [working(), working()];
    std::thread::scope(|threads| {
        for runtime in &runtimes {
            threads.spawn(|| {
                for _ in 0..5 {
                    for reply in runtime.block_on(super::burst(&pool, 20, lasting(1))) {
                        reply.unwrap();
                    }
                }
            });
        }
    });
    let stats = server.stats();
    assert_eq!(stats.streams_total, 200);
    assert!(stats.streams_peak_per_connection() <= 2 && stats.connections_peak <= 3);
}

#[test]
fn outside_of_a_runtime_there_is_an_error_and_no_panic() {
    let (_elsewhere, server) = server();
    let pool = Pool::connect_lazy(server.uri()).unwrap();
    let mut acquire = pin!(pool.acquire());
    let Poll::Ready(Err(error)) = poll_once(acquire.as_mut()) else {
        panic!("there is nobody to wait for");
    };
    assert!(error.to_string().contains("outside of a Tokio runtime"), "{error}");
    let Poll::Ready(Err(error)) = poll_once(pin!(pool.ready(1))) else {
        panic!("there is nobody to wait for");
    };
    assert!(error.to_string().contains("outside of a Tokio runtime"), "{error}");
    let Poll::Ready(Err(error)) = poll_once(pin!(Pool::connect(server.uri()))) else {
        panic!("there is nobody to wait for");
    };
    assert!(error.to_string().contains("outside of a Tokio runtime"), "{error}");

    assert!(pool.try_acquire().unwrap_err().is_exhausted());
    pool.resize(1, 2).unwrap();
    let _ = pool.stats().to_string();

    let client = Client::new(pool.clone());
    let Poll::Ready(Err(status)) = poll_once(pin!(client.unary(lasting(0)))) else {
        panic!("there is nobody to wait for");
    };
    assert_eq!(status.code(), Code::Internal);
    let mut plain = TestServiceClient::new(pool.clone());
    let Poll::Ready(Err(status)) = poll_once(pin!(plain.unary(lasting(0)))) else {
        panic!("there is nobody to wait for");
    };
    assert!(status.message().contains("outside of a Tokio runtime"), "{status}");
}

#[test]
fn leases_and_pools_may_be_dropped_outside_of_a_runtime() {
    let (_elsewhere, server) = server();
    let pool = Pool::builder(server.uri()).max_total_uses(1).build().unwrap();
    let runtime = runtime();
    let lease = runtime.block_on(pool.acquire()).unwrap();
    lease.mark_broken();
    drop(lease);
    pool.close();
    drop(pool);
    runtime.block_on(server.until(|stats| stats.connections_now == 0));
}

#[test]
fn a_shutdown_outside_of_a_runtime_does_not_panic() {
    let (_elsewhere, server) = server();
    let pool = Pool::connect_lazy(server.uri()).unwrap();
    let Poll::Ready(report) = poll_once(pin!(pool.shutdown(Duration::from_secs(1)))) else {
        panic!("there is nothing to wait for");
    };
    assert_eq!((report.finished, report.cut), (0, 0));
    assert!(pool.is_closed());
}

#[test]
fn a_call_that_its_connection_had_no_turn_to_send_says_so() {
    let (elsewhere, server) = server();
    let pool = Pool::connect_lazy(server.uri()).unwrap();
    let still = runtime();
    still.block_on(pool.ready(1)).unwrap();
    // The runtime that drives the connection stands still, and the deadline passes meanwhile.
    let counted = Script {
        key: "counted".into(),
        ..Script::default()
    };
    let mut request = Request::new(super::scripted(counted.clone()));
    request.set_timeout(Duration::from_millis(50));
    let client = Client::new(pool.clone());
    let status = runtime()
        .block_on(within("the deadline", client.unary(request)))
        .unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    let error = Error::of(&status).unwrap();
    assert_eq!((error.was_sent(), error.attempts()), (false, 1), "{status}");
    // A method that takes a stream begins with the headers, which the peer will yet see.
    let mut requests = Request::new(tokio_stream::iter([super::lasting(0)]));
    requests.set_timeout(Duration::from_millis(50));
    let status = runtime()
        .block_on(within("the deadline", client.client_stream(requests)))
        .unwrap_err();
    assert!(Error::of(&status).unwrap().was_sent(), "{status}");

    // It goes on, and what it sends now makes the server do nothing.
    still.block_on(async {
        server.until(|stats| stats.cancelled == 2).await;
        let reply = within("a call", client.unary(super::scripted(counted))).await.unwrap();
        assert_eq!(reply.into_inner().attempt, 1);
    });
    drop(elsewhere);
}

/// A runtime that was shut down, as it is seen by a thread that still holds its handle.
fn gone() -> tokio::runtime::Handle {
    let runtime = working();
    let handle = runtime.handle().clone();
    drop(runtime);
    handle
}

/// Runs `test` on a thread of its own: if it does not end, the test fails instead of hanging.
fn ends<T: Send + 'static>(test: impl FnOnce() -> T + Send + 'static) -> T {
    let (result, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || result.send(test()));
    ended.recv_timeout(tests::PATIENCE).expect("it ended")
}

#[test]
fn calls_on_a_gone_runtime_fail() {
    let (_elsewhere, server) = server();
    let pool = Pool::connect_lazy(server.uri()).unwrap();
    let handle = gone();
    let (call, acquire, ready) = ends({
        let pool = pool.clone();
        move || {
            let call = handle.block_on(Client::new(pool.clone()).unary(lasting(0)));
            (call, handle.block_on(pool.acquire()), handle.block_on(pool.ready(1)))
        }
    });
    let status = call.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    let errors = [acquire.map(drop).unwrap_err(), ready.unwrap_err()];
    for error in errors.iter().chain(Error::of(&status)) {
        assert!(error.to_string().contains("is shutting down"), "{error}");
    }
    runtime().block_on(Client::new(pool).unary(lasting(0))).unwrap();
}

#[test]
fn a_blocking_call_lets_its_runtime_end() {
    let (_elsewhere, server) = server();
    let pool = Pool::connect_lazy(server.uri()).unwrap();
    let status = ends(move || {
        let runtime = working();
        let handle = runtime.handle().clone();
        let (begins, begun) = std::sync::mpsc::channel();
        let (ends, ended) = std::sync::mpsc::channel();
        runtime.spawn_blocking(move || {
            begins.send(()).unwrap();
            // The runtime shuts down meanwhile, and waits for this task.
            let status = loop {
                let call = handle.block_on(Client::new(pool.clone()).unary(lasting(0)));
                if let Err(status) = call
                    && status.message().contains("is shutting down")
                {
                    break status;
                }
            };
            ends.send(status).unwrap();
        });
        begun.recv().unwrap();
        drop(runtime);
        ended.recv().unwrap()
    });
    assert_eq!(status.code(), Code::Unavailable, "{status}");
}

#[test]
fn a_standing_runtime_keeps_no_other_waiting() {
    let (_elsewhere, server) = server();
    let address = server.address().unwrap();
    let is_down = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let down = is_down.clone();
    let connector = move |_: pool_runtime::Target| {
        let down = down.load(std::sync::atomic::Ordering::Relaxed);
        async move {
            match down {
                true => Err(std::io::Error::other("down")),
                false => tokio::net::TcpStream::connect(address).await,
            }
        }
    };
    let pool = Pool::builder(server.uri()).connector(connector).min_connections(1);
    let backoff = pool_runtime::Backoff {
        base: Duration::from_millis(10),
        ..pool_runtime::Backoff::default()
    };
    let client = Client::new(pool.backoff(backoff).build().unwrap());
    // The redial is scheduled on a runtime that nobody runs from then on.
    let standing = runtime();
    standing.block_on(client.unary(lasting(0))).unwrap_err();
    is_down.store(false, std::sync::atomic::Ordering::Relaxed);
    let other = runtime();
    let call = async { while client.unary(lasting(0)).await.is_err() {} };
    other.block_on(within("a call", call));
}

/// As `cargo test` runs tests that share a pool: several threads, a runtime each, one after the other.
#[test]
fn a_pool_with_its_own_runtime_outlives_others() {
    let (_elsewhere, server) = server();
    let own = working();
    let pool = Pool::builder(server.uri())
        .runtime(own.handle().clone())
        .build()
        .unwrap();
    std::thread::scope(|threads| {
        for _ in 0..3 {
            threads.spawn(|| {
                for _ in 0..15 {
                    let client = Client::new(pool.clone());
                    runtime().block_on(async move {
                        for _ in 0..5 {
                            let mut replies = client.server_stream(lasting(2)).await.unwrap().into_inner();
                            while replies.message().await.unwrap().is_some() {}
                        }
                    });
                }
            });
        }
    });
    assert_eq!(pool.stats().cut, 0);
    drop(own);
    let status = runtime().block_on(Client::new(pool).unary(lasting(0))).unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    assert!(status.message().contains("is shutting down"), "{status}");
}

/// A call that fails at once still yields now and then, or its caller could repeat it for ever and starve the others.
#[test]
fn failing_calls_starve_nobody() {
    let (socket, uri) = super::refusing();
    type Failing = fn(Pool) -> std::pin::Pin<Box<dyn Future<Output = bool>>>;
    let ways: [Failing; 3] = [
        |pool| Box::pin(async move { Client::new(pool).unary(lasting(0)).await.is_err() }),
        |pool| Box::pin(async move { Client::new(pool).server_stream(lasting(0)).await.is_err() }),
        |pool| Box::pin(async move { pool.acquire().await.is_err() }),
    ];
    for way in ways {
        let pool = Pool::connect_lazy(uri.clone()).unwrap();
        let local = tokio::task::LocalSet::new();
        local.block_on(&runtime(), async {
            let made = Rc::new(Cell::new(0));
            let calls = made.clone();
            let repeating = tokio::task::spawn_local(async move {
                while way(pool.clone()).await {
                    calls.set(calls.get() + 1);
                }
            });
            // Each turn of this task is one that the other left to it, after a hundred calls or so.
            let turns = async {
                for _ in 0..20 {
                    let before = made.get();
                    tokio::task::yield_now().await;
                    let meanwhile = made.get() - before;
                    assert!(meanwhile <= 500, "{meanwhile} calls without a pause");
                }
            };
            within("the other task", turns).await;
            repeating.abort();
        });
    }
    drop(socket);
}

#[test]
fn unsent_calls_outlive_a_foreign_runtime() {
    let (_elsewhere, server) = server();
    let pool = Pool::connect_lazy(server.uri()).unwrap();
    // Nobody runs it from here on, so nothing is written on its connection.
    let first = runtime();
    first.block_on(pool.ready(1)).unwrap();
    let client = Client::new(pool.clone());
    runtime().block_on(async {
        let mut call = pin!(client.unary(lasting(0)));
        assert!(poll_once(call.as_mut()).is_pending());
        std::thread::spawn(move || drop(first)).join().unwrap();
        within("the call", call).await.unwrap();
    });
    assert_eq!((pool.stats().replayed, server.stats().streams_total), (1, 1));
}
