//! The servers that the other tests stand on, proved against clients that are not ours.

mod bare;
mod fault;
mod raw;
mod server;

use tests::pb::test_service_client::TestServiceClient;
use tonic::transport::{Channel, Endpoint, Error};

/// A client over a bare tonic channel, which is connected.
async fn connect(uri: String) -> Result<TestServiceClient<Channel>, Error> {
    Ok(TestServiceClient::new(Endpoint::from_shared(uri)?.connect().await?))
}
