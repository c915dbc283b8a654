//! Who keeps a pool alive: its handles and its slots, and nothing else. Its connections lead to it, and threads remember
//! them.

use std::sync::{Arc, Weak};

use pool_runtime::{Event, Pool};
use tests::server::TestServer;
use tests::within;
use tokio::runtime::{Builder, Runtime};

use super::{Client, lasting};

/// A pool, and what tells whether it is still there: a token that only its observer holds.
fn watched(uri: String) -> (Pool, Weak<()>) {
    let token = Arc::new(());
    let watch = Arc::downgrade(&token);
    let observer = move |_: &Event<'_>| assert!(Arc::strong_count(&token) > 0);
    (Pool::builder(uri).observer(observer).build().unwrap(), watch)
}

async fn gone(watch: &Weak<()>) {
    let gone = async {
        while watch.strong_count() > 0 {
            tokio::task::yield_now().await;
        }
    };
    within("the end of the pool", gone).await;
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

#[tokio::test]
async fn a_pool_is_gone_after_its_last_handle_though_threads_remember_its_connections() {
    let server = TestServer::start().await;
    let (pool, watch) = watched(server.uri());
    pool.ready(2).await.unwrap();
    let client = Client::new(pool.clone());
    client.unary(lasting(0)).await.unwrap();
    drop(pool);
    client.unary(lasting(0)).await.unwrap();
    drop(client);
    gone(&watch).await;
    server.until(|stats| stats.connections_now == 0).await;
}

#[tokio::test]
async fn a_pool_is_gone_after_its_last_lease() {
    let server = TestServer::start().await;
    let (pool, watch) = watched(server.uri());
    let (used, unused) = (pool.acquire().await.unwrap(), pool.acquire().await.unwrap());
    let mut client = tests::pb::test_service_client::TestServiceClient::new(used);
    client.unary(lasting(0)).await.unwrap();
    drop(pool);
    client.unary(lasting(0)).await.unwrap();
    assert_eq!(watch.strong_count(), 1);
    drop(client);
    server.until(|stats| stats.connections_now == 1).await;
    drop(unused);
    gone(&watch).await;
    server.until(|stats| stats.connections_now == 0).await;
}

#[test]
fn a_pool_is_gone_whatever_became_of_the_runtime_of_its_connections() {
    let elsewhere = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let server = elsewhere.block_on(TestServer::start());
    let connected = || {
        let (pool, watch) = watched(server.uri());
        let runtime = runtime();
        runtime.block_on(Client::new(pool.clone()).unary(lasting(0))).unwrap();
        (pool, watch, runtime)
    };

    let (pool, watch, ended_before) = connected();
    drop(ended_before);
    drop(pool);
    assert_eq!(watch.strong_count(), 0);

    let (pool, watch, stands_still) = connected();
    drop(pool);
    drop(stands_still);
    assert_eq!(watch.strong_count(), 0);
}
