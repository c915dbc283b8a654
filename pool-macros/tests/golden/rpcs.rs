#[allow(unused_imports)]
use pb::greeter_client::__types_of_greeter_client as __types;
/// Greets in every shape.
#[allow(missing_docs)]
#[allow(
    dead_code,
    deprecated,
    rustdoc::all,
    clippy::all,
    clippy::pedantic,
    clippy::nursery
)]
impl Greeter {
    const __POOL: ::renamed::__private::PoolConfig = ::renamed::__private::PoolConfig::NONE
        .retry_throttling(::renamed::__private::RetryThrottling::unchecked(10, 0.1))
        .max_connections(3);
    /// Greets one caller.
    pub async fn say_hello(
        &self,
        request: impl ::renamed::__private::tonic::IntoRequest<__types::HelloRequest>,
    ) -> ::core::result::Result<
        ::renamed::__private::tonic::Response<__types::HelloReply>,
        ::renamed::__private::tonic::Status,
    > {
        static __METHOD: ::renamed::__private::Method = ::renamed::__private::Method::new(
                "helloworld.Greeter",
                "SayHello",
                "/helloworld.Greeter/SayHello",
                ::renamed::__private::Shape::Unary,
            )
            .idempotency(::renamed::__private::Idempotency::NoSideEffects)
            .deadline(
                ::renamed::__private::Deadline::After(
                    ::core::time::Duration::new(0, 250000000),
                ),
            )
            .wait_for_ready(false)
            .no_attempts()
            .config(
                ::renamed::__private::MethodConfig::NONE
                    .timeout(::core::time::Duration::new(1, 500000000))
                    .wait_for_ready(true)
                    .attempts(
                        ::renamed::__private::Attempts::Retry(
                            ::renamed::__private::RetryPolicy::unchecked(
                                4,
                                ::core::time::Duration::new(0, 100000000),
                                ::core::time::Duration::new(1, 0),
                                1.5,
                                ::renamed::__private::Codes::from_bits(17408),
                            ),
                        ),
                    )
                    .max_request_message_bytes(1000)
                    .max_response_message_bytes(2000),
            );
        self.__client
            .unary_prost(
                &__METHOD,
                __types::ProstCodec::default(),
                ::renamed::__private::tonic::IntoRequest::into_request(request),
            )
            .await
    }
    /// Calls `helloworld.Greeter/SayManyHellos`.
    #[deprecated]
    pub async fn say_many_hellos(
        &self,
        request: impl ::renamed::__private::tonic::IntoRequest<__types::HelloRequest>,
    ) -> ::core::result::Result<
        ::renamed::__private::tonic::Response<
            ::renamed::__private::tonic::Streaming<__types::HelloReply>,
        >,
        ::renamed::__private::tonic::Status,
    > {
        static __METHOD: ::renamed::__private::Method = ::renamed::__private::Method::new(
                "helloworld.Greeter",
                "SayManyHellos",
                "/helloworld.Greeter/SayManyHellos",
                ::renamed::__private::Shape::ServerStreaming,
            )
            .idempotency(::renamed::__private::Idempotency::Idempotent)
            .deadline(::renamed::__private::Deadline::None)
            .wait_for_ready(true)
            .attempts(
                ::renamed::__private::Attempts::Retry(
                    ::renamed::__private::RetryPolicy::unchecked(
                        3,
                        ::core::time::Duration::new(0, 100000000),
                        ::core::time::Duration::new(1, 0),
                        2.0,
                        ::renamed::__private::Codes::from_bits(16384),
                    ),
                ),
            );
        self.__client
            .server_streaming(
                &__METHOD,
                __types::ProstCodec::default(),
                ::renamed::__private::tonic::IntoRequest::into_request(request),
            )
            .await
    }
    /// Calls `helloworld.Greeter/New`.
    pub async fn new_(
        &self,
        request: impl ::renamed::__private::tonic::IntoStreamingRequest<Message = ()>,
    ) -> ::core::result::Result<
        ::renamed::__private::tonic::Response<__types::same_name_2::HelloReply>,
        ::renamed::__private::tonic::Status,
    > {
        static __METHOD: ::renamed::__private::Method = ::renamed::__private::Method::new(
                "helloworld.Greeter",
                "New",
                "/helloworld.Greeter/New",
                ::renamed::__private::Shape::ClientStreaming,
            )
            .wait_for_ready(true)
            .attempts(
                ::renamed::__private::Attempts::Hedge(
                    ::renamed::__private::HedgingPolicy::unchecked(
                        5,
                        ::core::time::Duration::new(0, 50000000),
                        ::renamed::__private::Codes::from_bits(16384),
                    ),
                ),
            );
        self.__client
            .client_streaming(
                &__METHOD,
                __types::ProstCodec::default(),
                ::renamed::__private::tonic::IntoStreamingRequest::into_streaming_request(
                    request,
                ),
            )
            .await
    }
    /// Calls `helloworld.Greeter/Type`.
    pub async fn r#type(
        &self,
        request: impl ::renamed::__private::tonic::IntoStreamingRequest<
            Message = __types::Vec<u8>,
        >,
    ) -> ::core::result::Result<
        ::renamed::__private::tonic::Response<
            ::renamed::__private::tonic::Streaming<bool>,
        >,
        ::renamed::__private::tonic::Status,
    > {
        static __METHOD: ::renamed::__private::Method = ::renamed::__private::Method::new(
                "helloworld.Greeter",
                "Type",
                "/helloworld.Greeter/Type",
                ::renamed::__private::Shape::BidiStreaming,
            )
            .deadline(
                ::renamed::__private::Deadline::After(::core::time::Duration::new(90, 0)),
            )
            .wait_for_ready(true)
            .no_attempts()
            .config(
                ::renamed::__private::MethodConfig::NONE
                    .attempts(
                        ::renamed::__private::Attempts::Hedge(
                            ::renamed::__private::HedgingPolicy::unchecked(
                                3,
                                ::core::time::Duration::new(0, 0),
                                ::renamed::__private::Codes::from_bits(0),
                            ),
                        ),
                    ),
            );
        self.__client
            .bidi_streaming(
                &__METHOD,
                __types::ProstCodec::default(),
                ::renamed::__private::tonic::IntoStreamingRequest::into_streaming_request(
                    request,
                ),
            )
            .await
    }
}
