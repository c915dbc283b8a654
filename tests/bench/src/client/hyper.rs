//! tonic's generated client over hyper's connection, without any of tonic's transport.

use std::net::SocketAddr;
use std::task::{Context, Poll};

use http::uri::{Authority, Scheme};
use http::{Request, Response, Uri};
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tonic::body::Body;
use tower_service::Service;

use crate::Failure;
use crate::helloworld::greeter_client::GreeterClient;

/// hyper's handle as a service, which puts the origin into the URI: that is all that tonic asks of a transport.
#[derive(Debug, Clone)]
pub(crate) struct Direct {
    send: SendRequest<Body>,
    authority: Authority,
}

impl Direct {
    /// Connects with the windows that tonic uses.
    ///
    /// # Errors
    ///
    /// It could not connect.
    pub(crate) async fn connect(address: SocketAddr) -> Result<GreeterClient<Self>, Failure> {
        let socket = TcpStream::connect(address).await?;
        socket.set_nodelay(true)?;
        let (send, connection) = Builder::new(TokioExecutor::new())
            .handshake(TokioIo::new(socket))
            .await?;
        tokio::spawn(connection);
        let authority = address.to_string().parse()?;
        Ok(GreeterClient::new(Self { send, authority }))
    }
}

impl Service<Request<Body>> for Direct {
    type Response = Response<Incoming>;
    type Error = Failure;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Self::Response, Failure>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        self.send.poll_ready(context).map_err(Failure::from)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let mut uri = std::mem::take(request.uri_mut()).into_parts();
        uri.scheme = Some(Scheme::HTTP);
        uri.authority = Some(self.authority.clone());
        match Uri::from_parts(uri) {
            Ok(uri) => *request.uri_mut() = uri,
            Err(error) => return Box::pin(std::future::ready(Err(error.into()))),
        }
        let response = self.send.send_request(request);
        Box::pin(async move { Ok(response.await?) })
    }
}
