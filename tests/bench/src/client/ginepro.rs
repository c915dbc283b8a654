//! ginepro, which balances over the addresses of a name. It stands on the tonic before this one, so a request is
//! handed to that one's Channel in one more box.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::task::{Context, Poll};
use std::time::Duration;

use ginepro::{LoadBalancedChannel, LookupService, ResolutionStrategy, ServiceDefinition};
use http::{Request, Response};
use tonic::async_trait;
use tonic::body::Body;
use tower_service::Service;

use crate::Failure;
use crate::helloworld::greeter_client::GreeterClient;

/// A name with one address, so that no name server is needed.
struct Fixed(SocketAddr);

#[async_trait]
impl LookupService for Fixed {
    async fn resolve_service_endpoints(&self, _: &ServiceDefinition) -> Result<HashSet<SocketAddr>, anyhow::Error> {
        Ok(HashSet::from([self.0]))
    }
}

/// ginepro's channel with this tonic's bodies.
#[derive(Debug, Clone)]
pub(crate) struct Balanced(LoadBalancedChannel);

/// A client over ginepro's channel.
///
/// # Errors
///
/// It could not look up the address.
pub(crate) async fn balanced(address: SocketAddr) -> Result<GreeterClient<Balanced>, Failure> {
    let service = ServiceDefinition::from_parts(address.ip().to_string(), address.port())?;
    let channel = LoadBalancedChannel::builder(service)
        .lookup_service(Fixed(address))
        .resolution_strategy(ResolutionStrategy::Eager {
            timeout: Duration::from_secs(5),
        })
        .channel()
        .await?;
    Ok(GreeterClient::new(Balanced(channel)))
}

impl Service<Request<Body>> for Balanced {
    type Response = Response<former_tonic::body::Body>;
    type Error = former_tonic::transport::Error;
    type Future = <LoadBalancedChannel as Service<Request<former_tonic::body::Body>>>::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Service::poll_ready(&mut self.0, context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Service::call(&mut self.0, request.map(former_tonic::body::Body::new))
    }
}
