//! Clients that are re-exported, by name and by glob, and that link to what they wrap.

#![deny(warnings)]

/// The contents of two client modules.
pub mod api {
    pub use crate::comments::other_client::*;
    pub use crate::comments::wordy_client::*;
}

/// The modules themselves, one of them under another name.
pub mod modules {
    pub use crate::comments::other_client;
    pub use crate::comments::wordy_client::{self as wordy, WordyClient};
}

/// Has the name of the client that it wraps: see [`crate::comments::wordy_client::WordyClient`] and
/// [`api::WordyClient`].
#[pool_runtime::pooled_client(api::WordyClient)]
pub struct WordyClient;

/// Uses another client from the same glob.
#[pool_runtime::pooled_client(api::OtherClient)]
pub struct Other;

/// Goes through a module with another name.
#[pool_runtime::pooled_client(modules::wordy::WordyClient)]
pub struct Wordy;

/// Goes through a module that is re-exported.
#[pool_runtime::pooled_client(modules::other_client::OtherClient)]
pub struct FromModule;
