//! Pools in a process that was forked after they had connected.
//!
//! The tasks that drive the connections stay in the parent, so calls on them get no answer. Looking at the process with
//! every call would cost a system call; a call that runs into its deadline looks, and then the pool connects anew.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use tokio::time::Instant;

use super::shared::Shared;

/// Why a call ran into its deadline in a forked process.
#[derive(Debug)]
pub(crate) struct Forked;

impl fmt::Display for Forked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this process was forked after the pool had connected; its next call opens a connection of its own")
    }
}

impl Error for Forked {}

impl Shared {
    /// A connection is up, in this process.
    pub(super) fn note_process(&self) {
        self.process.store(std::process::id(), Relaxed);
    }

    /// Whether this is another process than the one that opened the pool's connections. Then it uses none of them any more.
    pub(crate) fn notices_fork(self: &Arc<Self>) -> bool {
        let here = std::process::id();
        let opened_in = self.process.load(Relaxed);
        if opened_in == 0 || opened_in == here {
            return false;
        }
        self.process.store(here, Relaxed);
        self.step(|core, out| core.forked(Instant::now(), out));
        true
    }
}
