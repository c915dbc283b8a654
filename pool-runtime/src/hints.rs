//! Errors of the compiler that name the remedy: each is a trait that has a message for types without it.

use crate::Pool;

/// What a client is made over: a [`Pool`].
#[diagnostic::on_unimplemented(
    message = "a pooled client is made over a `Pool`, not over `{Self}`",
    label = "this is not a `Pool`",
    note = "for a target: `connect(\"http://host:port\").await`, or `connect_lazy(\"http://host:port\")`",
    note = "with settings: `pool_builder(\"http://host:port\")`, and `new` with the pool that it builds; it opens its own \
            connections, and takes the place of tonic's `Channel` and `Endpoint`"
)]
pub trait IntoPool {
    /// The pool.
    fn into_pool(self) -> Pool;
}

impl IntoPool for Pool {
    fn into_pool(self) -> Pool {
        self
    }
}

/// A client with a list of its RPCs: none has this trait, as who has the list does not ask for it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no list of its RPCs: pool-build did not compile it",
    label = "this client was not compiled by pool-build",
    note = "in build.rs, compile its .proto with pool-build, in place of tonic_prost_build: \
            `pool_build::compile_protos(&[\"proto/service.proto\"], &[\"proto\"])?;`",
    note = "for a client of another crate, state the RPCs in the attribute, in place of the path: \
            `service = \"package.Service\", rpc Method(Request) returns (Response)`"
)]
pub trait CompiledByPoolBuild {}

/// Asks for the list of a client's RPCs.
pub const fn compiled_by_pool_build<T: CompiledByPoolBuild>() -> bool {
    true
}

/// What [`Builder::tls`](crate::Builder) takes where no feature brings TLS: nothing.
#[cfg(not(feature = "_tls"))]
#[diagnostic::on_unimplemented(
    message = "TLS needs a feature of pool-runtime: `tls-ring` or `tls-aws-lc`",
    label = "TLS is not compiled in",
    note = "`tls-native-roots` or `tls-webpki-roots` beside it, to trust public servers"
)]
pub trait NeedsTlsFeature {}

/// What [`Builder::service_config`](crate::Builder) takes where its feature is off: nothing.
#[cfg(not(feature = "service-config"))]
#[diagnostic::on_unimplemented(
    message = "a service config at run time needs the feature `service-config` of pool-runtime",
    label = "`service-config` is not enabled"
)]
pub trait NeedsServiceConfigFeature {}

/// What [`Builder::timeout`](crate::Builder) takes: nothing. It is the name that tonic has, and rustc would suggest
/// `idle_timeout`.
#[diagnostic::on_unimplemented(
    message = "a pool has no `timeout`: use `deadline`, which limits each call",
    label = "use `deadline`",
    note = "`connect_timeout` limits opening a connection, `acquire_timeout` the wait for a free stream, and `idle_timeout` \
            closes connections without calls"
)]
pub trait UseDeadline {}
