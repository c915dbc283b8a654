/// Greets.
#[derive(PartialEq)]
#[::core::prelude::v1::derive(::core::clone::Clone, ::core::fmt::Debug)]
pub(crate) struct Greeter {
    __client: ::pool_runtime::__private::Client,
}
const _: () = {
    #[allow(unused_imports)]
    use ::core::default::Default as _;
    #[allow(dead_code, deprecated)]
    impl Greeter {
        /// A client whose calls go through `pool`. Clients can share a pool.
        ///
        /// It takes a pool and nothing else: [`connect`](Self::connect) takes a target.
        #[must_use]
        pub fn new(pool: impl ::pool_runtime::__private::IntoPool) -> Self {
            Self {
                __client: ::pool_runtime::__private::Client::new(
                    ::pool_runtime::__private::IntoPool::into_pool(pool),
                    ::pool_runtime::__private::Deadline::After(
                        ::core::time::Duration::new(2, 0),
                    ),
                ),
            }
        }
        /// A client with a pool of its own, after a first connection to `target` is open.
        ///
        /// # Errors
        ///
        /// When the target can't be understood or the connection can't be opened.
        pub async fn connect(
            target: impl ::core::convert::Into<::std::string::String>,
        ) -> ::core::result::Result<Self, ::pool_runtime::__private::Error> {
            Self::pool_builder(target).connect().await.map(Self::new)
        }
        /// A client with a pool of its own, which connects when it is first used.
        ///
        /// # Errors
        ///
        /// When the target can't be understood.
        pub fn connect_lazy(
            target: impl ::core::convert::Into<::std::string::String>,
        ) -> ::core::result::Result<Self, ::pool_runtime::__private::Error> {
            Self::pool_builder(target).build().map(Self::new)
        }
        /// Starts to set up a pool for [`new`](Self::new), from where `connect` and `connect_lazy` start: with what the
        /// service config that was given to pool-build says of the pool.
        pub fn pool_builder(
            target: impl ::core::convert::Into<::std::string::String>,
        ) -> ::pool_runtime::__private::Builder {
            #[allow(unused_imports)]
            use ::pool_runtime::__private::PoolDefaults as _;
            ::pool_runtime::__private::pool_builder(target, Self::__POOL)
        }
        /// The pool behind this client.
        #[must_use]
        pub fn pool(&self) -> &::pool_runtime::__private::Pool {
            self.__client.pool()
        }
        /// Limits each call of this client to `deadline`, in place of the client's deadline so far.
        #[must_use]
        pub fn with_deadline(self, deadline: ::core::time::Duration) -> Self {
            Self {
                __client: self.__client.with_deadline(deadline),
            }
        }
        /// Lets `interceptor` change or refuse each request; the one added last sees it first. All calls of this client
        /// and of its clones share it and take turns, so it is to return quickly.
        #[must_use]
        pub fn with_interceptor<I>(self, interceptor: I) -> Self
        where
            I: ::pool_runtime::__private::tonic::service::Interceptor
                + ::core::marker::Send + 'static,
        {
            Self {
                __client: self.__client.with_interceptor(interceptor),
            }
        }
        /// Compresses requests; a server that does not know `encoding` refuses them.
        #[must_use]
        pub fn send_compressed(
            self,
            encoding: ::pool_runtime::__private::tonic::codec::CompressionEncoding,
        ) -> Self {
            Self {
                __client: self.__client.send_compressed(encoding),
            }
        }
        /// Tells servers that responses may be compressed with `encoding`.
        #[must_use]
        pub fn accept_compressed(
            self,
            encoding: ::pool_runtime::__private::tonic::codec::CompressionEncoding,
        ) -> Self {
            Self {
                __client: self.__client.accept_compressed(encoding),
            }
        }
        /// Refuses responses of more than `limit` bytes.
        #[must_use]
        pub fn max_decoding_message_size(self, limit: usize) -> Self {
            Self {
                __client: self.__client.max_decoding_message_size(limit),
            }
        }
        /// Refuses to send requests of more than `limit` bytes.
        #[must_use]
        pub fn max_encoding_message_size(self, limit: usize) -> Self {
            Self {
                __client: self.__client.max_encoding_message_size(limit),
            }
        }
    }
};
const _: () = {
    #[allow(unused_imports)]
    use ::core::default::Default as _;
    #[allow(unused_imports)]
    use ::pool_runtime::__private::__pooled_client_missing as __missing;
    #[allow(unused_imports, deprecated)]
    use helloworld::greeter_client::GreeterClient as debug_assert;
    debug_assert! {
        __missing! { { ::pool_runtime::__private::__pooled_client_rpcs } {
        helloworld::greeter_client::GreeterClient, deadline = "2s", chat(idempotent) }
        Greeter }
    }
};
