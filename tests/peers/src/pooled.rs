//! The clients of the scenarios: the pooled one that is judged, and a bare tonic `Channel`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pool_runtime::{Event, Observer, Pool, pooled_client};
use tests::pb::test_service_client::TestServiceClient;
use tests::pb::{Script, TestRequest};
use tonic::Status;
use tonic::transport::Channel;

/// The client under test.
#[pooled_client(tests::pb::test_service_client::TestServiceClient)]
pub(crate) struct Client;

impl Client {
    /// A unary call that the server takes `delay_ms` for.
    pub(crate) fn slow(&self, delay_ms: u32) -> impl Future<Output = Result<(), Status>> + Send + use<> {
        let client = self.clone();
        async move { client.unary(request(delay_ms)).await.map(drop) }
    }
}

/// The same over a bare `Channel`.
pub(crate) fn over_channel(
    channel: &Channel,
    delay_ms: u32,
) -> impl Future<Output = Result<(), Status>> + Send + use<> {
    let mut client = TestServiceClient::new(channel.clone());
    async move { client.unary(request(delay_ms)).await.map(drop) }
}

fn request(delay_ms: u32) -> TestRequest {
    TestRequest {
        payload: b"sixteen bytes...".to_vec(),
        script: Some(Script {
            delay_ms,
            ..Script::default()
        }),
    }
}

/// Counts the calls that a pool had to send again, for instance because the server refused their stream.
#[derive(Clone, Default)]
pub(crate) struct Replays(Arc<AtomicUsize>);

impl Replays {
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Observer for Replays {
    fn on_event(&self, event: &Event<'_>) {
        if let Event::Replayed { .. } = event {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A pool with the default settings, counted.
pub(crate) fn pool(uri: String) -> Result<(Pool, Replays), pool_runtime::Error> {
    let replays = Replays::default();
    let pool = Pool::builder(uri).observer(replays.clone()).build()?;
    Ok((pool, replays))
}
