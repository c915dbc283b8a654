//! `#[pooled_client]`: typed methods over a pool of gRPC connections.
//!
//! Use it through `pool_runtime`, which re-exports the attribute and has what the generated code calls.
//!
//! # Two stages
//!
//! An attribute sees its arguments and its item. The RPCs stand elsewhere: in a `macro_rules!` that
//! pool-build has put beside the tonic client. So the work is done in two steps, with the compiler
//! resolving the path in between:
//!
//! ```text
//! #[pooled_client(helloworld::greeter_client::GreeterClient, deadline = "2s")]
//! pub struct Greeter;
//!         |  stage 1, `pooled_client`: the struct, its constructors and settings, and a call to
//!         v
//! helloworld::greeter_client::GreeterClient! { .. }
//!         |  the client's description, a macro of the client's name: adds the list of RPCs
//!         v
//! ::pool_runtime::__private::__pooled_client_rpcs! { { list } { arguments } Greeter }
//!            stage 2: one method per RPC
//! ```
//!
//! RPCs that are stated by hand need no second stage.
//!
//! Each stage runs `parse` or `args` -> `ir` -> `check` -> `expand`, collecting its errors on
//! the way (`errors`), and emits all that can still be emitted beside them (`fallback`), so that one
//! mistake is one error. Nothing here touches a file.

mod args;
mod check;
mod errors;
mod expand;
mod fallback;
mod ir;
mod parse;
#[cfg(test)]
#[allow(unreachable_pub, reason = "the fuzz targets have it at the root of a crate")]
#[path = "fuzz/properties.rs"]
mod properties;
#[cfg(test)]
mod tests;

use proc_macro::TokenStream;

/// Turns a unit struct into a client of a gRPC service whose calls go through a pool of connections.
///
/// ```text
/// #[pooled_client(helloworld::greeter_client::GreeterClient, deadline = "2s")]
/// pub struct Greeter;
///
/// let greeter = Greeter::connect("http://127.0.0.1:50051").await?;
/// let reply = greeter.say_hello(HelloRequest { name: "tonic".into() }).await?;
/// ```
///
/// # What the struct gets
///
/// - `Clone` and `Debug` (unless the struct derives them itself, below the attribute), `Send` and `Sync`
/// - `new(pool)`, `connect(target).await`, `connect_lazy(target)`, `pool()`, and `pool_builder(target)`, which starts
///   to set up a pool with what the service config that pool-build was given says of it
/// - `with_deadline`, `with_interceptor`, `send_compressed`, `accept_compressed`,
///   `max_decoding_message_size`, `max_encoding_message_size`
/// - one `async fn` per RPC that takes `&self` and has tonic's own request and response types, with the
///   comment and the deprecation of the .proto. An RPC whose name is one of those above, or `clone`,
///   gets an underscore at the end: `new_`.
///
/// # Arguments
///
/// First the path of the client that pool-build generated, written through the client's own module:
/// the types of the RPCs stand there, beside the client. (A glob re-export of that module has them too; a re-export of the
/// client alone does not.) Then, in any order:
///
/// | | |
/// |---|---|
/// | `deadline = "2s"` | at most this long for each call, from the moment the method is called to the last byte of the response. `"none"` switches the pool's default off. |
/// | `wait_for_ready` | calls wait while the server can't be reached, instead of failing at once |
/// | `retry = "none"` | no call is repeated or hedged, whatever a service config or the .proto says |
/// | `crate = "path"` | where `pool_runtime` is, if it has another name |
/// | `service`, `rpc`, `codec` | in place of the path: see [below](#rpcs-by-hand) |
/// | `some_rpc(..)` | options of one RPC, named by its method |
///
/// An RPC takes the first three as well, and
///
/// | | |
/// |---|---|
/// | `idempotent` | processing the request twice is as good as once, so that failures are retried if nothing else is said: up to 3 attempts, for `UNAVAILABLE`. (`idempotency_level` in the .proto says the same for all users of the service.) |
/// | `retry(..)` | attempts one after the other, where the server may have processed the one before |
/// | `hedge(..)` | attempts side by side, one more after each delay until one succeeds |
///
/// `wait_for_ready = false` and `idempotent = false` undo what the client or the .proto says.
///
/// # Retries and hedging
///
/// Both may have the server process a request more than once. So they are stated of single RPCs, not of a client;
/// for whole services there are service configs.
///
/// ```text
/// get(retry),
/// list(retry(max_attempts = 4, initial_backoff = "100ms", max_backoff = "1s", backoff_multiplier = 2.0,
///            codes(UNAVAILABLE, ABORTED))),
/// search(hedge(max_attempts = 3, delay = "50ms", non_fatal_codes(UNAVAILABLE))),
/// put(retry = "none"),
/// ```
///
/// Of `retry` each field may be left out: 3 attempts, the first included, after 100 ms and twice as long each time, at
/// most 1 s, for `UNAVAILABLE`. `hedge` needs the attempts and the delay; a failure ends the call at once unless its
/// code is one of `non_fatal_codes`. More than 5 attempts count as 5 (gRFC A6). An RPC has one of the two; `retry = "none"`
/// switches both off.
///
/// What is stated elsewhere, and what then holds: see "Precedence" in the documentation of `pool_runtime`.
///
/// # RPCs by hand
///
/// A client that pool-build did not compile has no list of RPCs: one of another crate, such as tonic-health, or of a
/// service that has no .proto. Its RPCs are stated in place of the path, each as the line of the .proto with Rust's types:
///
/// ```text
/// #[pooled_client(
///     service = "grpc.health.v1.Health",
///     /// Asks for the status once.
///     rpc Check(HealthCheckRequest) returns (HealthCheckResponse),
///     rpc Watch(HealthCheckRequest) returns (stream HealthCheckResponse),
///     check(deadline = "1s", idempotent),
/// )]
/// pub struct Health;
/// ```
///
/// - `service` is the full name, the package included: a call goes to `/service/Rpc`.
/// - `rpc` may have comments and `#[deprecated]`. The method has the name that prost gives it, `check` for `Check`, and by
///   that name it has options. `google.protobuf.Empty` is `()`.
/// - `codec = "crate::JsonCodec"` is the codec of all RPCs, by its path without type arguments. Default: prost's.
///
/// pool-build makes the same of a descriptor set, with `Builder::compile_encoded_fds` and `extern_path`.
///
/// # Attributes of the struct
///
/// Levels of lints (`#[allow(..)]`) and `#[cfg(..)]` below the attribute hold for the code that it writes, too.
///
/// # Deadlines
///
/// Of several deadlines the smallest wins. So an RPC's deadline that is longer than the client's is
/// refused: it would never apply.
///
/// # Durations
///
/// Whole numbers with the units `h`, `m`, `s`, `ms`, `us` and `ns`, the larger unit first: `"250ms"`, `"2s"`,
/// `"1m30s"`. A deadline of zero is refused: no call could ever meet it.
#[proc_macro_attribute]
pub fn pooled_client(args: TokenStream, item: TokenStream) -> TokenStream {
    expand::client(args.into(), item.into()).into()
}

/// The second stage of [`macro@pooled_client`]; called by the description of a client.
#[doc(hidden)]
#[proc_macro]
pub fn __pooled_client_rpcs(input: TokenStream) -> TokenStream {
    expand::rpcs(input.into()).into()
}

/// In place of the second stage, where a client has no description.
#[doc(hidden)]
#[proc_macro]
pub fn __pooled_client_missing(input: TokenStream) -> TokenStream {
    fallback::no_description(input.into()).into()
}
