//! A gRPC server on real sockets that tells what it saw and ends connections on demand.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use tests::pb::{TestRequest, test_service_client::TestServiceClient};
//! use tests::server::TestServer;
//!
//! let server = TestServer::builder().max_concurrent_streams(10).start().await;
//! let mut client = TestServiceClient::connect(server.uri()).await?;
//! client.unary(TestRequest::default()).await?;
//! server.until(|stats| stats.streams_now == 0).await;
//! assert_eq!(server.stats().streams_total, 1);
//! # Ok(())
//! # }
//! ```
//!
//! The server runs on the runtime it was started on and goes with it; a test of two runtimes
//! starts it on the one that lives longer.

mod builder;
mod connection;
mod service;
mod socket;
mod stats;
mod tap;

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{oneshot, watch};
use tokio::task::AbortHandle;
use tokio::time::timeout;

pub use self::builder::Builder;
use self::connection::{Order, Settings};
use self::socket::{Address, Listener};
use self::stats::Ledger;
pub use self::stats::{ConnectionStats, Stats};
use crate::PATIENCE;
use crate::tasks::Tasks;

/// A running server. Dropping it closes its listener and all its connections.
pub struct TestServer {
    address: Address,
    settings: Settings,
    ledger: Ledger,
    /// One per connection accepted, by its id.
    orders: Arc<Mutex<Vec<watch::Sender<Order>>>>,
    accepting: Mutex<Option<Accepting>>,
    tasks: Tasks,
}

impl TestServer {
    /// Options for a server.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// A server with default options.
    pub async fn start() -> Self {
        Self::builder().start().await
    }

    async fn start_with(builder: Builder) -> Self {
        let tasks = Tasks::new();
        let listener = Listener::bind(&builder.address)
            .await
            .expect("the loopback can be bound");
        let server = Self {
            address: listener
                .address(builder.address)
                .expect("a bound socket has an address"),
            settings: Settings {
                routes: builder.routes.prepare(),
                limits: builder.limits,
                silent: builder.silent,
                tasks: tasks.clone(),
            },
            ledger: Ledger::new(),
            orders: Arc::default(),
            accepting: Mutex::new(None),
            tasks,
        };
        server.accept_from(listener);
        server
    }

    /// The target to connect to: `http://127.0.0.1:port` or `unix:/path`.
    pub fn uri(&self) -> String {
        match &self.address {
            Address::Tcp(address) => format!("http://{address}"),
            Address::Unix(path) => format!("unix:{}", path.display()),
        }
    }

    /// The TCP address, if the server has one.
    pub fn address(&self) -> Option<SocketAddr> {
        match self.address {
            Address::Tcp(address) => Some(address),
            Address::Unix(_) => None,
        }
    }

    /// What the server has seen so far.
    pub fn stats(&self) -> Stats {
        self.ledger.watch().borrow().clone()
    }

    /// Waits until what the server has seen meets `condition`, and returns it.
    ///
    /// # Panics
    ///
    /// When that takes longer than [`PATIENCE`].
    pub async fn until(&self, condition: impl FnMut(&Stats) -> bool) -> Stats {
        let mut watch = self.ledger.watch();
        if let Ok(Ok(stats)) = timeout(PATIENCE, watch.wait_for(condition)).await {
            return stats.clone();
        }
        panic!(
            "the server's condition was not met within {PATIENCE:?}: {:#?}",
            self.stats()
        );
    }

    /// Refuses new connections once this returns. The accepted ones stay; those that the server
    /// had not got round to accepting are reset, as everywhere when a listener is closed.
    pub async fn close_listener(&self) {
        let accepting = lock(&self.accepting).take();
        if let Some(Accepting { task, closed }) = accepting {
            task.abort();
            // Nothing is ever sent: the end of the sender says that the socket is gone.
            let _ = closed.await;
        }
    }

    /// Accepts connections again, on the same address.
    ///
    /// # Panics
    ///
    /// When somebody else has taken the address meanwhile.
    pub async fn reopen_listener(&self) {
        self.close_listener().await;
        self.accept_from(
            Listener::bind(&self.address)
                .await
                .expect("the address is still free"),
        );
    }

    /// Shuts every open connection down gracefully: GOAWAY, and the calls in flight finish.
    pub fn drain_all(&self) {
        self.order_all(Order::Drain);
    }

    /// Shuts one connection down gracefully.
    pub fn drain(&self, connection: usize) {
        self.order(connection, Order::Drain);
    }

    /// Closes every open connection at once, in the middle of its calls and without GOAWAY.
    pub fn cut_all(&self) {
        self.order_all(Order::Cut);
    }

    /// Closes one connection at once.
    pub fn cut(&self, connection: usize) {
        self.order(connection, Order::Cut);
    }

    /// Ends every open connection with a TCP reset.
    pub fn reset_all(&self) {
        self.order_all(Order::Reset);
    }

    /// Ends one connection with a TCP reset.
    pub fn reset(&self, connection: usize) {
        self.order(connection, Order::Reset);
    }

    /// Stops the server and waits until its last task is gone.
    pub async fn stop(self) {
        self.tasks.shutdown().await;
    }

    fn accept_from(&self, listener: Listener) {
        let (guard, closed) = oneshot::channel();
        let door = Door {
            listener,
            _guard: guard,
        };
        let accept = accept(
            door,
            self.settings.clone(),
            self.ledger.clone(),
            Arc::clone(&self.orders),
        );
        *lock(&self.accepting) = self
            .tasks
            .spawn(accept)
            .map(|task| Accepting { task, closed });
    }

    fn order_all(&self, order: Order) {
        for orders in lock(&self.orders).iter() {
            orders.send_replace(order);
        }
    }

    fn order(&self, connection: usize, order: Order) {
        let orders = lock(&self.orders).get(connection).cloned();
        orders
            .expect("the connection has been accepted")
            .send_replace(order);
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.tasks.close();
    }
}

impl fmt::Debug for TestServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestServer")
            .field("uri", &self.uri())
            .field("stats", &self.stats())
            .finish()
    }
}

/// The task that accepts connections.
struct Accepting {
    task: AbortHandle,
    /// Ends when the listener is closed.
    closed: oneshot::Receiver<()>,
}

/// What that task owns. The fields are dropped in this order, so the listener is closed by the
/// time the guard tells so.
struct Door {
    listener: Listener,
    _guard: oneshot::Sender<()>,
}

/// Accepts connections, each served by a task of its own.
async fn accept(
    door: Door,
    settings: Settings,
    ledger: Ledger,
    orders: Arc<Mutex<Vec<watch::Sender<Order>>>>,
) {
    loop {
        // A connection that its client has ended before it was accepted is no concern of ours.
        let Ok((socket, client)) = door.listener.accept().await else {
            continue;
        };
        let sender = watch::Sender::new(Order::Serve);
        let page = {
            // One lock over both, so that a connection has the same id in both.
            let mut orders = lock(&orders);
            orders.push(sender.clone());
            ledger.open(&client)
        };
        let connection = connection::serve(socket, client, page, settings.clone(), sender);
        settings.tasks.spawn(connection);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
