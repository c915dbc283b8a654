//! The variants: whatever makes a gRPC call, behind one trait, so that all are loaded by the same code.

mod channels;
mod floor;
mod ginepro;
mod hyper;
pub(crate) mod ours;
mod plain;
mod pools;
mod variant;

use std::time::Duration;

use clap::ValueEnum;

pub use self::variant::{Setup, Variant, Visitor};
use crate::Failure;

/// What a call is like.
#[derive(Debug, Clone)]
pub struct Job {
    /// Which sides stream.
    pub shape: Shape,
    /// What each message carries.
    pub payload: String,
    /// Messages on a side that streams.
    pub messages: u32,
    /// A deadline on the request.
    pub deadline: Option<Duration>,
    /// Two headers of the caller's own on the request.
    pub metadata: bool,
}

impl Job {
    /// A unary call with a message of this many bytes.
    #[must_use]
    pub fn unary(bytes: usize) -> Self {
        Self {
            shape: Shape::Unary,
            payload: "x".repeat(bytes),
            messages: 1,
            deadline: None,
            metadata: false,
        }
    }
}

/// The four shapes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shape {
    /// One request, one response.
    Unary,
    /// One request, many responses.
    ServerStreaming,
    /// Many requests, one response.
    ClientStreaming,
    /// Many requests, many responses.
    Bidi,
}

/// A client, cloned for each of those that call at the same time.
pub trait Caller: Clone + Send + 'static {
    /// Makes one call and takes its response to the end.
    fn call(&mut self, job: &Job) -> impl Future<Output = Result<(), Failure>> + Send;
}
