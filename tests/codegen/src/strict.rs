//! A module that is stricter than anybody should be.

#![deny(warnings, missing_docs, missing_debug_implementations, unreachable_pub)]
#![deny(clippy::all, clippy::pedantic, clippy::nursery)]
#![deny(rustdoc::all)]

use pool_runtime::pooled_client;

/// A client of a service whose RPCs have comments, and some a deprecation.
#[pooled_client(crate::awkward::exchange_client::ExchangeClient, deadline = "2s")]
pub struct Exchange;

/// A client of a service without comments.
#[pooled_client(crate::awkward::wkt::well_known_client::WellKnownClient)]
pub struct WellKnown;

/// A client of which nothing is used.
#[pooled_client(crate::awkward::empty_client::EmptyClient)]
struct Empty;

/// A client that derives for itself what the attribute would derive, and more.
#[pooled_client(crate::bare_client::BareClient)]
#[derive(Clone, std::fmt::Debug)]
#[non_exhaustive]
#[must_use]
pub struct Bare;

/// A client of a service whose comments are no good Markdown.
#[pooled_client(crate::comments::wordy_client::WordyClient)]
pub struct Wordy;

/// A client that is itself deprecated: who uses it is warned.
#[pooled_client(crate::bare_client::BareClient)]
#[deprecated]
pub struct Old;

// Without documentation: the lint levels of a struct are those of its methods.
#[pooled_client(
    service = "helloworld.Greeter",
    #[doc(hidden)]
    rpc SayHello(crate::helloworld::HelloRequest) returns (crate::helloworld::HelloReply)
)]
#[allow(missing_docs)]
pub struct Undocumented;

/// A client that is not compiled at all.
#[pooled_client(crate::bare_client::BareClient)]
#[cfg(any())]
pub struct Absent;

/// A client of which one attribute depends on a condition.
#[pooled_client(crate::bare_client::BareClient)]
#[cfg_attr(all(), derive(Hash), allow(dead_code))]
#[derive(PartialEq)]
#[cfg(any())]
pub struct Conditional;
