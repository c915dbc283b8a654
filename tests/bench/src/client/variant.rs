//! Which variants there are, and how each is set up.

use std::net::SocketAddr;

use clap::ValueEnum;

use super::floor::Floor;
use super::ginepro::balanced;
use super::hyper::Direct;
use super::ours::{self, Greeter, Plain};
use super::pools::{Bb8, Deadpool, Mobc};
use super::{Caller, Job, channels};
use crate::Failure;
use crate::helloworld::greeter_client::GreeterClient;

/// A way to make a gRPC call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ValueEnum)]
pub enum Variant {
    /// tonic's Channel with the generated client: what everything is compared with.
    Channel,
    /// A Channel balanced over two connections.
    #[value(name = "balance-2")]
    Balance2,
    /// A Channel balanced over four connections.
    #[value(name = "balance-4")]
    Balance4,
    /// A Channel of its own for each call in flight.
    PerSlot,
    /// bb8 around Channels.
    Bb8,
    /// deadpool around Channels.
    Deadpool,
    /// mobc around Channels.
    Mobc,
    /// ginepro's load-balanced channel.
    Ginepro,
    /// The generated client over hyper's connection.
    Hyper,
    /// h2 with bytes encoded beforehand.
    Floor,
    /// The annotated client.
    Ours,
    /// The generated client over the pool.
    OursPlain,
}

/// What a variant is set up for.
#[derive(Debug)]
pub struct Setup {
    /// The server.
    pub address: SocketAddr,
    /// What its calls will be like.
    pub job: Job,
    /// Whether a pool that has events is to have an observer.
    pub observed: bool,
    /// Whether an annotated client has what it has by default and a Channel has not: a deadline of 30 s and, as
    /// `SayHello` has no side effects, retries.
    pub defaults: bool,
}

/// What is to be done with a client, whatever its type.
pub trait Visitor {
    /// Does it.
    fn visit<C: Caller>(self, client: C, job: &Job) -> impl Future<Output = Result<Self::Output, Failure>>;
    /// What comes of it.
    type Output;
}

impl Variant {
    /// Connects, and hands the client to the visitor.
    ///
    /// # Errors
    ///
    /// It could not connect; the visitor's own errors.
    pub async fn visit<V: Visitor>(self, setup: &Setup, visitor: V) -> Result<V::Output, Failure> {
        let (address, job) = (setup.address, &setup.job);
        match self {
            Self::Channel => visitor.visit(channels::single(address).await?, job).await,
            Self::Balance2 => visitor.visit(channels::balanced(address, 2).await?, job).await,
            Self::Balance4 => visitor.visit(channels::balanced(address, 4).await?, job).await,
            Self::PerSlot => visitor.visit(channels::PerSlot::new(address)?, job).await,
            Self::Bb8 => visitor.visit(Bb8::connect(address).await?, job).await,
            Self::Deadpool => visitor.visit(Deadpool::connect(address).await?, job).await,
            Self::Mobc => visitor.visit(Mobc::connect(address).await?, job).await,
            Self::Ginepro => visitor.visit(balanced(address).await?, job).await,
            Self::Hyper => visitor.visit(Direct::connect(address).await?, job).await,
            Self::Floor => visitor.visit(Floor::connect(address, job).await?, job).await,
            Self::Ours if setup.defaults => visitor.visit(Greeter::new(ours::pool(setup).await?), job).await,
            Self::Ours => visitor.visit(Plain::new(ours::pool(setup).await?), job).await,
            Self::OursPlain => visitor.visit(GreeterClient::new(ours::pool(setup).await?), job).await,
        }
    }

    /// What a reader is shown.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Channel => "tonic Channel",
            Self::Balance2 => "balance_channel of 2",
            Self::Balance4 => "balance_channel of 4",
            Self::PerSlot => "Channel per slot",
            Self::Bb8 => "bb8 of Channels",
            Self::Deadpool => "deadpool of Channels",
            Self::Mobc => "mobc of Channels",
            Self::Ginepro => "ginepro",
            Self::Hyper => "hyper, direct",
            Self::Floor => "h2 floor",
            Self::Ours => "annotated client",
            Self::OursPlain => "tonic client over Pool",
        }
    }

    /// Whether it is this project's.
    #[must_use]
    pub fn is_ours(self) -> bool {
        matches!(self, Self::Ours | Self::OursPlain)
    }
}
