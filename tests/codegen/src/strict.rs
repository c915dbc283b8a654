//! A module that is stricter than anybody should be.

#![deny(warnings, missing_docs, missing_debug_implementations, unreachable_pub)]
#![deny(clippy::all, clippy::pedantic, clippy::nursery)]

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
