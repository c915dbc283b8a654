//! The server's process: this very program, started once more.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use crate::{Failure, server};

/// The argument that makes a program the server.
const SERVE: &str = "serve";

/// A server in a process of its own; ends when this is dropped, or when this process ends.
#[derive(Debug)]
pub struct ServerProcess {
    child: Child,
    address: SocketAddr,
}

impl ServerProcess {
    /// Starts it and waits until it listens.
    ///
    /// # Errors
    ///
    /// The program could not be started once more, or could not listen.
    pub fn start() -> Result<Self, Failure> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(SERVE)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let stdout = child.stdout.take().ok_or("the server has no output")?;
        BufReader::new(stdout).read_line(&mut line)?;
        Ok(Self {
            address: line.trim().parse()?,
            child,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // It may be gone already, which is as good.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Whether this process was started to be the server. If so, [`serve`] is all there is to do.
#[must_use]
pub fn is_server() -> bool {
    std::env::args().nth(1).as_deref() == Some(SERVE)
}

/// Is the server, on one thread, until whoever started it is gone.
///
/// # Errors
///
/// The server failed.
pub fn serve() -> Result<(), Failure> {
    // The pipe closes with the process at its other end, however that ended.
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(server::serve(|address| println!("{address}")))
}
