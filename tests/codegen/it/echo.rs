//! A tonic server that knows no service: it answers every RPC with the messages it was sent, and says which RPC it
//! was in the response's metadata.
//!
//! The messages of the awkward protos are made so that a request's bytes are a response too. So each RPC of each
//! service can be called without a server being written for it.

use axum::extract::Request;
use axum::response::Response;
use http_body_util::BodyExt;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::metadata::MetadataMap;
use tonic::service::Routes;
use tonic::transport::Server;

/// Starts the server and returns the target to reach it at. It ends with the test's runtime.
pub(crate) async fn serve() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("the address of a bound socket");
    let routes = Routes::from(axum::Router::new().fallback(echo));
    let server = Server::builder().add_routes(routes);
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    format!("http://{address}")
}

async fn echo(request: Request) -> Response {
    let path = request.uri().path().parse().expect("a path is a header's value");
    let deadline = request.headers().get("grpc-timeout").cloned();
    let end = async { Some(Ok([("grpc-status", "0")].into_iter().map(pair).collect())) };
    let body = axum::body::Body::new(request.into_body().with_trailers(end));
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert("content-type", axum::http::HeaderValue::from_static("application/grpc"));
    headers.insert("x-path", path);
    if let Some(deadline) = deadline {
        headers.insert("x-deadline", deadline);
    }
    response
}

fn pair((name, value): (&'static str, &'static str)) -> (axum::http::HeaderName, axum::http::HeaderValue) {
    (
        axum::http::HeaderName::from_static(name),
        axum::http::HeaderValue::from_static(value),
    )
}

/// The RPC that was called, as the server saw it.
pub(crate) fn path(metadata: &MetadataMap) -> &str {
    text(metadata, "x-path").unwrap_or_default()
}

/// What the server was told of the deadline.
pub(crate) fn deadline(metadata: &MetadataMap) -> Option<&str> {
    text(metadata, "x-deadline")
}

fn text<'a>(metadata: &'a MetadataMap, name: &str) -> Option<&'a str> {
    metadata.get(name)?.to_str().ok()
}
