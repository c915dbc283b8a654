//! One connection of the server, from its acceptance to its end.
//!
//! tonic's own `Server` gives no way to end one connection, gracefully or not. What it does for a
//! connection is little (hyper's HTTP/2 server over tonic's routes), and it is done here instead.
//! Left out on purpose is tonic's enforcement of `grpc-timeout`: a client whose deadline is not
//! enforced must not be saved by the server.

use std::convert::Infallible;
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::service::Routes;

use super::builder::Manner;
use crate::host::{Guest, Serve};
use crate::socket::{ResetOnDrop, Socket};
use crate::stats::Page;
use crate::tap::Tap;
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

/// All connections of a server, and the orders for each of them.
pub(super) struct Connections {
    routes: Routes,
    manner: Manner,
    tasks: Tasks,
    /// By the connection's id. Those of closed connections stay, and reach nobody.
    orders: Mutex<Vec<watch::Sender<Order>>>,
}

impl Connections {
    pub(super) fn new(routes: Routes, manner: Manner, tasks: Tasks) -> Self {
        Self {
            routes: routes.prepare(),
            manner,
            tasks,
            orders: Mutex::default(),
        }
    }

    pub(super) fn have_tls(&self) -> bool {
        self.manner.tls.is_some()
    }

    pub(super) fn order_all(&self, order: Order) {
        for orders in self.orders().iter() {
            orders.send_replace(order);
        }
    }

    pub(super) fn order(&self, connection: usize, order: Order) {
        let orders = self.orders().get(connection).cloned();
        orders.expect("the connection has been accepted").send_replace(order);
    }

    fn orders(&self) -> MutexGuard<'_, Vec<watch::Sender<Order>>> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Serve for Connections {
    fn serve(&self, guest: Guest) -> impl Future<Output = ()> + Send + 'static {
        let orders = watch::Sender::new(Order::Serve);
        let mut all = self.orders();
        all.push(orders.clone());
        debug_assert_eq!(all.len(), guest.page.id() + 1, "ids are given in one order");

        let Guest { socket, client, page } = guest;
        let reset = socket.reset_on_drop();
        let inbox = orders.subscribe();
        let calls = Calls::new(&page, client, self.routes.clone(), &self.manner, orders);
        let (manner, tasks) = (self.manner.clone(), self.tasks.clone());
        async move {
            tokio::select! {
                () = live(socket, page, calls, &manner, tasks, inbox.clone()) => {}
                // Its winning drops the connection, whatever that is doing.
                () = ended_by_order(inbox.clone(), reset) => {}
            }
        }
    }
}

/// Waits for an order to end the connection. The way it is to end is settled when this returns.
async fn ended_by_order(mut inbox: watch::Receiver<Order>, reset: ResetOnDrop) {
    let order = inbox.wait_for(|order| matches!(order, Order::Cut | Order::Reset)).await;
    if order.is_ok_and(|order| *order == Order::Reset) {
        reset.set();
    }
}

/// The life of a connection, until the client ends it or it is drained.
async fn live(socket: Socket, page: Page, calls: Calls, manner: &Manner, tasks: Tasks, inbox: watch::Receiver<Order>) {
    if manner.silent {
        read_to_end(socket).await;
        return;
    }
    match &manner.tls {
        None => serve(Tap::new(socket, page), calls, manner, tasks, inbox).await,
        // A client that does not get through the handshake learns of it at its own end.
        Some(tls) => {
            if let Ok(stream) = TlsAcceptor::from(Arc::clone(tls)).accept(socket).await {
                serve(Tap::new(stream, page), calls, manner, tasks, inbox).await;
            }
        }
    }
}

/// Serves calls, and shuts down gracefully when the connection's age or an order demands it.
async fn serve(
    stream: Tap<impl AsyncRead + AsyncWrite + Send + Unpin + 'static>,
    calls: Calls,
    manner: &Manner,
    tasks: Tasks,
    mut inbox: watch::Receiver<Order>,
) {
    let service = service_fn(move |request| calls.answer(request));
    let connection = http2_of(manner, tasks).serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let drained = async {
        let ordered = inbox.wait_for(|order| *order == Order::Drain);
        // Whether it is the age or the order makes no difference.
        match manner.max_connection_age {
            Some(age) => drop(timeout(age, ordered).await),
            None => drop(ordered.await),
        }
    };
    // How a connection ends is the client's affair, and the ledger has it already.
    tokio::select! {
        _ = connection.as_mut() => return,
        () = drained => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

/// Reads, so that the client's end is noticed, and never answers.
async fn read_to_end(mut socket: Socket) {
    let mut sink = [0; 1024];
    while !matches!(socket.read(&mut sink).await, Ok(0) | Err(_)) {}
}

fn http2_of(manner: &Manner, tasks: Tasks) -> http2::Builder<Tasks> {
    let mut http2 = http2::Builder::new(tasks);
    http2
        .timer(TokioTimer::new())
        .max_concurrent_streams(manner.max_concurrent_streams);
    if let Some(resets) = manner.tolerated_resets {
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
    fn new(page: &Page, client: String, routes: Routes, manner: &Manner, orders: watch::Sender<Order>) -> Self {
        let left = manner.max_calls_per_connection.map(AtomicUsize::new);
        Self {
            connection: page.id(),
            client,
            routes,
            left,
            orders,
        }
    }

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
