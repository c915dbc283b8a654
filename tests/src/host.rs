//! What every server of the tests has: an address, a listener, tasks and a ledger.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use crate::PATIENCE;
use crate::socket::{Address, Io, Listener, Socket};
use crate::stats::{Ledger, Page, Stats};
use crate::tasks::Tasks;

/// An accepted connection.
pub(crate) struct Guest {
    pub(crate) socket: Socket,
    /// Its address as the ledger has it.
    pub(crate) client: String,
    /// Its page in the ledger: the connection counts as open until this is dropped.
    pub(crate) page: Page,
}

/// Listens, and lets a task of its own serve each connection. Dropping it ends them all.
#[derive(Debug)]
pub(crate) struct Host {
    address: Address,
    ledger: Ledger,
    tasks: Tasks,
    accepting: Mutex<Option<Accepting>>,
}

/// The task that accepts connections.
#[derive(Debug)]
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

impl Host {
    /// Binds `address` and starts accepting; `serve` makes the future that serves a connection.
    pub(crate) async fn start<S>(address: Address, tasks: Tasks, serve: Arc<S>) -> Self
    where
        S: Serve,
    {
        let listener = Listener::bind(&address).await.expect("the loopback can be bound");
        let address = listener.address(address).expect("a bound socket has an address");
        let host = Self {
            address,
            ledger: Ledger::new(),
            tasks,
            accepting: Mutex::new(None),
        };
        host.accept_from(listener, serve);
        host
    }

    /// The target to connect to, with `scheme` where it is TCP.
    pub(crate) fn uri(&self, scheme: &str) -> String {
        match &self.address {
            Address::Tcp(address) => format!("{scheme}://{address}"),
            Address::Unix(path) => format!("unix:{}", path.display()),
        }
    }

    pub(crate) fn address(&self) -> Option<SocketAddr> {
        match self.address {
            Address::Tcp(address) => Some(address),
            Address::Unix(_) => None,
        }
    }

    pub(crate) fn stats(&self) -> Stats {
        self.ledger.watch().borrow().clone()
    }

    pub(crate) async fn until(&self, condition: impl FnMut(&Stats) -> bool) -> Stats {
        let mut watch = self.ledger.watch();
        if let Ok(Ok(stats)) = timeout(PATIENCE, watch.wait_for(condition)).await {
            return stats.clone();
        }
        panic!(
            "the server's condition was not met within {PATIENCE:?}: {:#?}",
            self.stats()
        );
    }

    pub(crate) async fn close_listener(&self) {
        let accepting = self.accepting().take();
        if let Some(Accepting { task, closed }) = accepting {
            task.abort();
            // Nothing is ever sent: the end of the sender says that the socket is gone.
            let _ = closed.await;
        }
    }

    pub(crate) async fn reopen_listener<S: Serve>(&self, serve: Arc<S>) {
        self.close_listener().await;
        let listener = Listener::bind(&self.address).await;
        self.accept_from(listener.expect("the address is still free"), serve);
    }

    pub(crate) async fn stop(&self) {
        self.tasks.shutdown().await;
    }

    /// Serves transports that do not come through the listener.
    pub(crate) fn entrance(&self) -> Entrance {
        Entrance {
            ledger: self.ledger.clone(),
            tasks: self.tasks.clone(),
        }
    }

    fn accept_from<S: Serve>(&self, listener: Listener, serve: Arc<S>) {
        let (guard, closed) = oneshot::channel();
        let door = Door {
            listener,
            _guard: guard,
        };
        let accept = accept(door, self.ledger.clone(), self.tasks.clone(), serve);
        *self.accepting() = self.tasks.spawn(accept).map(|task| Accepting { task, closed });
    }

    fn accepting(&self) -> MutexGuard<'_, Option<Accepting>> {
        self.accepting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.tasks.close();
        if let Address::Unix(path) = &self.address {
            // Somebody may have tidied up before us, and there is nobody to tell.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// A way into a server beside its listener. Closed with the server.
#[derive(Debug, Clone)]
pub(crate) struct Entrance {
    ledger: Ledger,
    tasks: Tasks,
}

impl Entrance {
    pub(crate) fn take(&self, io: impl Io, serve: &impl Serve) {
        let client = "memory".to_owned();
        let page = self.ledger.open(&client);
        let socket = Socket::other(io);
        self.tasks.spawn(serve.serve(Guest { socket, client, page }));
    }
}

/// What a server does with its connections.
pub(crate) trait Serve: Send + Sync + 'static {
    /// Serves one connection. Called in the order of acceptance.
    fn serve(&self, guest: Guest) -> impl Future<Output = ()> + Send + 'static;
}

async fn accept(door: Door, ledger: Ledger, tasks: Tasks, serve: Arc<impl Serve>) {
    loop {
        // A connection that its client has ended before it was accepted is no concern of ours.
        let Ok((socket, client)) = door.listener.accept().await else {
            continue;
        };
        let page = ledger.open(&client);
        tasks.spawn(serve.serve(Guest { socket, client, page }));
    }
}
