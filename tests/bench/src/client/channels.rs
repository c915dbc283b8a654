//! tonic's Channels: one, several behind a balancer, and one for each caller.

use std::net::SocketAddr;

use tonic::transport::channel::Change;
use tonic::transport::{Channel, Endpoint};

use super::{Caller, Job};
use crate::Failure;
use crate::helloworld::greeter_client::GreeterClient;

fn endpoint(address: SocketAddr) -> Result<Endpoint, Failure> {
    Ok(Endpoint::from_shared(format!("http://{address}"))?.tcp_nodelay(true))
}

/// A bare Channel.
///
/// # Errors
///
/// It could not connect.
pub(crate) async fn single(address: SocketAddr) -> Result<GreeterClient<Channel>, Failure> {
    Ok(GreeterClient::new(endpoint(address)?.connect().await?))
}

/// A Channel over so many connections. Each has a key of its own: `balance_list` takes the URIs for keys, and equal
/// ones collapse into one connection.
///
/// # Errors
///
/// The address is no URI.
pub(crate) async fn balanced(address: SocketAddr, connections: usize) -> Result<GreeterClient<Channel>, Failure> {
    let (channel, changes) = Channel::balance_channel(connections);
    for key in 0..connections {
        changes.send(Change::Insert(key, endpoint(address)?)).await?;
    }
    Ok(GreeterClient::new(channel))
}

/// A Channel that is never shared: each clone, and so each caller, connects by itself.
#[derive(Debug)]
pub(crate) struct PerSlot {
    endpoint: Endpoint,
    client: GreeterClient<Channel>,
}

impl PerSlot {
    /// Connects with the first call.
    ///
    /// # Errors
    ///
    /// The address is no URI.
    pub(crate) fn new(address: SocketAddr) -> Result<Self, Failure> {
        Ok(Self::over(endpoint(address)?))
    }

    fn over(endpoint: Endpoint) -> Self {
        let client = GreeterClient::new(endpoint.connect_lazy());
        Self { endpoint, client }
    }
}

impl Clone for PerSlot {
    fn clone(&self) -> Self {
        Self::over(self.endpoint.clone())
    }
}

impl Caller for PerSlot {
    async fn call(&mut self, job: &Job) -> Result<(), Failure> {
        self.client.call(job).await
    }
}
