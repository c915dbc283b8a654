//! One connection of the server, from its acceptance to its end.
//!
//! tonic's own `Server` gives no way to end one connection, gracefully or not. What it does for a
//! connection is little (hyper's HTTP/2 server over tonic's routes), and it is done here instead.
//! Left out on purpose is tonic's enforcement of `grpc-timeout`: a client whose deadline is not
//! enforced must not be saved by the server.

use std::convert::Infallible;
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::AsyncReadExt;
use tokio::sync::watch;
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::service::Routes;

use super::builder::Limits;
use super::socket::Socket;
use super::stats::Page;
use super::tap::Tap;
use crate::tasks::Tasks;

/// What becomes of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Serve calls.
    Serve,
    /// GOAWAY, finish what is in flight, close.
    Drain,
    /// Close at once, in the middle of whatever is in flight.
    Cut,
    /// The same with a TCP reset.
    Reset,
}

/// Where a call came from. Handlers find it in the request's extensions.
#[derive(Debug, Clone)]
pub(super) struct Origin {
    pub(super) connection: usize,
    pub(super) client: String,
    pub(super) authority: String,
}

/// Trailers for a call that ends well, which tonic has no name for. Handlers leave them in the
/// response's extensions.
#[derive(Debug, Clone)]
pub(super) struct ExtraTrailers(pub(super) HeaderMap);

/// What every connection of a server is made with.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) routes: Routes,
    pub(super) limits: Limits,
    pub(super) silent: bool,
    pub(super) tasks: Tasks,
}

/// Serves `socket` until the client or an order ends it.
pub(super) async fn serve(
    socket: Socket,
    client: String,
    page: Page,
    settings: Settings,
    orders: watch::Sender<Order>,
) {
    let reset = socket.reset_on_drop();
    let mut inbox = orders.subscribe();
    if settings.silent {
        tokio::select! {
            () = listen_in_silence(socket, page) => {}
            order = inbox.wait_for(|order| matches!(order, Order::Cut | Order::Reset)) => {
                if order.is_ok_and(|order| *order == Order::Reset) {
                    reset.set();
                }
            }
        }
        return;
    }

    let age = settings.limits.max_connection_age;
    let old_age = async move {
        match age {
            Some(age) => tokio::time::sleep(age).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(old_age);
    let mut is_young = true;

    let calls = Calls {
        connection: page.id(),
        client,
        routes: settings.routes.clone(),
        left: settings
            .limits
            .max_calls_per_connection
            .map(AtomicUsize::new),
        orders,
    };
    let socket = TokioIo::new(Tap::new(socket, page));
    let service = service_fn(move |request| calls.answer(request));
    let connection = http2_of(&settings).serve_connection(socket, service);
    tokio::pin!(connection);
    loop {
        tokio::select! {
            // How a connection ends is the client's affair, and the ledger has it already.
            _ = connection.as_mut() => return,
            () = &mut old_age, if is_young => {
                is_young = false;
                connection.as_mut().graceful_shutdown();
            }
            changed = inbox.changed() => match changed.map(|()| *inbox.borrow_and_update()) {
                Ok(Order::Serve) => {}
                Ok(Order::Drain) => connection.as_mut().graceful_shutdown(),
                Ok(Order::Cut) | Err(_) => return,
                Ok(Order::Reset) => return reset.set(),
            },
        }
    }
}

/// Reads, so that the client's end is noticed, and never answers.
async fn listen_in_silence(mut socket: Socket, _page: Page) {
    let mut sink = [0; 1024];
    while !matches!(socket.read(&mut sink).await, Ok(0) | Err(_)) {}
}

fn http2_of(settings: &Settings) -> http2::Builder<Tasks> {
    let mut http2 = http2::Builder::new(settings.tasks.clone());
    http2
        .timer(TokioTimer::new())
        .max_concurrent_streams(settings.limits.max_concurrent_streams);
    if let Some(resets) = settings.limits.tolerated_resets {
        http2
            .max_pending_accept_reset_streams(resets)
            .max_local_error_reset_streams(resets);
    }
    http2
}

/// What answers the calls of one connection.
struct Calls {
    connection: usize,
    client: String,
    routes: Routes,
    left: Option<AtomicUsize>,
    orders: watch::Sender<Order>,
}

impl Calls {
    fn answer(
        &self,
        mut request: Request<Incoming>,
    ) -> impl Future<Output = Result<Response<Body>, Infallible>> + Send + use<> {
        if self
            .left
            .as_ref()
            .is_some_and(|left| left.fetch_sub(1, Ordering::Relaxed) == 1)
        {
            self.orders.send_replace(Order::Drain);
        }
        let authority = request.uri().authority().map(ToString::to_string);
        request.extensions_mut().insert(Origin {
            connection: self.connection,
            client: self.client.clone(),
            authority: authority.unwrap_or_default(),
        });
        let mut routes = self.routes.clone();
        async move { routes.call(request).await.map(with_extra_trailers) }
    }
}

fn with_extra_trailers(mut response: Response<Body>) -> Response<Body> {
    let Some(ExtraTrailers(extra)) = response.extensions_mut().remove() else {
        return response;
    };
    response.map(|body| {
        Body::new(body.map_frame(move |mut frame| {
            if let Some(trailers) = frame.trailers_mut() {
                trailers.extend(extra.clone());
            }
            frame
        }))
    })
}
