//! What both stages work on: checked enough to be expanded, with the user's tokens kept for the spans
//! of errors.

use std::time::Duration;

use pool_call_policy::{Attempts, RetryThrottling};
use proc_macro2::TokenStream;
use syn::{Attribute, Ident, LitStr, Path, Token, Visibility, parse_quote, punctuated::Punctuated};

/// The arguments of the attribute.
pub(crate) struct Args {
    /// The path of the tonic client; absent after a mistake in it, and where the RPCs are stated by hand.
    pub(crate) client: Option<ClientPath>,
    /// The service, where its RPCs are stated by hand.
    pub(crate) by_hand: Option<ByHand>,
    /// Where the runtime is, if the user says so.
    pub(crate) krate: Option<Path>,
    pub(crate) options: Options,
    pub(crate) rpcs: Vec<RpcArgs>,
}

/// A path like `helloworld::greeter_client::GreeterClient`.
pub(crate) struct ClientPath {
    /// `helloworld::greeter_client`
    pub(crate) module: Path,
    /// `GreeterClient`
    pub(crate) ident: Ident,
}

/// `service = "helloworld.Greeter", rpc SayHello(HelloRequest) returns (HelloReply)`
pub(crate) struct ByHand {
    pub(crate) service: LitStr,
    pub(crate) rpcs: Vec<Rpc>,
    /// There are others that could not be read.
    pub(crate) spoiled: bool,
}

/// `say_hello(deadline = "250ms", idempotent)`
pub(crate) struct RpcArgs {
    pub(crate) ident: Ident,
    pub(crate) options: Options,
}

/// What can be said of a client or of an RPC.
#[derive(Clone, Default)]
pub(crate) struct Options {
    pub(crate) deadline: Option<Deadline>,
    pub(crate) wait_for_ready: Option<bool>,
    pub(crate) idempotent: Option<bool>,
    pub(crate) extra: Option<Extra>,
    /// What has stated it: `retry` or `hedge`.
    pub(crate) extra_by: Option<Ident>,
    /// Said by service configs only, as are the limits of sizes.
    pub(crate) max_request: Option<u32>,
    pub(crate) max_response: Option<u32>,
}

/// What an RPC may do beyond its first attempt.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Extra {
    /// Nothing, whatever others say.
    Never,
    Attempts(Attempts),
}

/// What a service config says of the pool.
#[derive(Debug, Default)]
pub(crate) struct PoolConfig {
    pub(crate) throttling: Option<RetryThrottling>,
    pub(crate) max_connections: Option<u32>,
}

/// A deadline with the literal that states it.
#[derive(Clone)]
pub(crate) struct Deadline {
    pub(crate) literal: LitStr,
    /// Absent for `"none"`.
    pub(crate) after: Option<Duration>,
}

/// The struct under the attribute.
pub(crate) struct Struct {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) keyword: Token![struct],
    pub(crate) ident: Ident,
}

/// What the second stage is given: the description, the arguments, and of the struct its name and the attributes that
/// hold for the methods too.
pub(crate) struct Input {
    pub(crate) description: Description,
    pub(crate) args: TokenStream,
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) ident: Ident,
}

/// A service, as pool-build or the user describes it.
pub(crate) struct Description {
    pub(crate) docs: Vec<Attribute>,
    /// The module of its types, which stands in the client's module.
    pub(crate) types: Option<Ident>,
    /// `helloworld.Greeter`
    pub(crate) service: LitStr,
    pub(crate) pool: PoolConfig,
    pub(crate) rpcs: Vec<Rpc>,
}

/// An RPC, as pool-build or the user describes it.
#[derive(Clone)]
pub(crate) struct Rpc {
    /// Docs and deprecation.
    pub(crate) attrs: Vec<Attribute>,
    /// `say_hello`
    pub(crate) ident: Ident,
    /// `SayHello`
    pub(crate) proto_name: LitStr,
    pub(crate) shape: Shape,
    pub(crate) idempotency: Idempotency,
    pub(crate) request: TokenStream,
    pub(crate) response: TokenStream,
    pub(crate) encoding: Encoding,
    /// Empty for prost's, where the RPC is stated by hand.
    pub(crate) codec: TokenStream,
    /// What a service config says.
    pub(crate) config: Options,
}

/// How messages are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Prost,
    Other,
}

/// Which of the two sides streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Unary,
    ClientStreaming,
    ServerStreaming,
    BidiStreaming,
}

/// The `idempotency_level` of the .proto.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Idempotency {
    Unknown,
    NoSideEffects,
    Idempotent,
}

impl Args {
    /// Where the runtime is.
    pub(crate) fn krate(&self) -> Path {
        self.krate.clone().unwrap_or_else(|| parse_quote!(::pool_runtime))
    }
}

impl ClientPath {
    /// Splits a path; there is none without a module.
    pub(crate) fn new(path: Path) -> Option<Self> {
        let mut module = path;
        let ident = module.segments.pop()?.into_value().ident;
        let segments: Punctuated<_, Token![::]> = std::mem::take(&mut module.segments).into_iter().collect();
        module.segments = segments;
        (!module.segments.is_empty()).then_some(Self { module, ident })
    }
}
