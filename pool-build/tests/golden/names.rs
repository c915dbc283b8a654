pub mod keywords_client {
    #[doc(hidden)]
    #[allow(ambiguous_glob_reexports, deprecated, unreachable_pub, unused_imports)]
    pub mod __the_path_goes_through_keywords_client {
        pub use super::super::Box;
        pub use super::super::Err;
        pub use super::super::Ok;
        pub use super::super::Option;
        pub use super::super::Result;
        pub use super::super::Some;
        pub use super::super::String;
        pub use super::super::Vec;
        pub use tonic_prost::ProstCodec;
    }
    #[doc(hidden)]
    #[allow(unused_macros)]
    #[macro_export]
    macro_rules! __pool_include_this_file_once_or_generate_it_with_cross_crate_false_awkward_names_keywords_2643c3b0b28ccca1 {
        ($missing:ident ! { { $($then:tt)* } $($rest:tt)* }) => {
            $($then)* ! { { format 3; service KeywordsClient
            __the_path_goes_through_keywords_client "awkward.names.Keywords"; rpc r#type
            "Type" unary unknown(__types::Option) (__types::Result)
            prost(__types::ProstCodec); rpc r#match "Match" client_streaming
            unknown(__types::Option) (__types::Result) prost(__types::ProstCodec); rpc
            r#async "Async" server_streaming unknown(__types::Option) (__types::Result)
            prost(__types::ProstCodec); rpc r#gen "Gen" bidi_streaming
            unknown(__types::Option) (__types::Result) prost(__types::ProstCodec); rpc
            self_ "Self" unary unknown(__types::String) (__types::Vec)
            prost(__types::ProstCodec); rpc super_ "Super" unary unknown(__types::Box)
            (__types::Some) prost(__types::ProstCodec); rpc crate_ "Crate" unary
            unknown(__types::Ok) (__types::Err) prost(__types::ProstCodec); } $($rest)* }
        };
    }
    #[doc(hidden)]
    #[allow(unused_imports)]
    pub use __pool_include_this_file_once_or_generate_it_with_cross_crate_false_awkward_names_keywords_2643c3b0b28ccca1 as KeywordsClient;
}
pub mod clashes_client {
    #[doc(hidden)]
    #[allow(ambiguous_glob_reexports, deprecated, unreachable_pub, unused_imports)]
    pub mod __the_path_goes_through_clashes_client {
        pub use super::super::Request;
        pub use super::super::Response;
        pub use super::super::Status;
        pub use super::super::Streaming;
        pub use tonic_prost::ProstCodec;
    }
    #[doc(hidden)]
    #[allow(unused_macros)]
    #[macro_export]
    macro_rules! __pool_include_this_file_once_or_generate_it_with_cross_crate_false_awkward_names_clashes_3be21af97c9f85c4 {
        ($missing:ident ! { { $($then:tt)* } $($rest:tt)* }) => {
            $($then)* ! { { format 3; service ClashesClient
            __the_path_goes_through_clashes_client "awkward.names.Clashes"; #[doc =
            " Makes a new one."] rpc new "New" unary unknown(__types::Request)
            (__types::Response) prost(__types::ProstCodec); rpc connect "Connect" unary
            unknown(__types::Request) (__types::Response) prost(__types::ProstCodec); rpc
            connect_lazy "ConnectLazy" unary unknown(__types::Request)
            (__types::Response) prost(__types::ProstCodec); rpc pool "Pool" unary
            unknown(__types::Request) (__types::Response) prost(__types::ProstCodec); rpc
            with_deadline "WithDeadline" unary unknown(__types::Request)
            (__types::Response) prost(__types::ProstCodec); rpc with_origin "WithOrigin"
            unary unknown(__types::Request) (__types::Response)
            prost(__types::ProstCodec); rpc with_interceptor "WithInterceptor" unary
            unknown(__types::Request) (__types::Response) prost(__types::ProstCodec); rpc
            send_compressed "SendCompressed" unary unknown(__types::Request)
            (__types::Response) prost(__types::ProstCodec); rpc accept_compressed
            "AcceptCompressed" unary unknown(__types::Request) (__types::Response)
            prost(__types::ProstCodec); rpc max_decoding_message_size
            "MaxDecodingMessageSize" unary unknown(__types::Request) (__types::Response)
            prost(__types::ProstCodec); rpc max_encoding_message_size
            "MaxEncodingMessageSize" unary unknown(__types::Request) (__types::Response)
            prost(__types::ProstCodec); rpc clone "Clone" unary unknown(__types::Request)
            (__types::Response) prost(__types::ProstCodec); rpc method "METHOD"
            bidi_streaming unknown(__types::Status) (__types::Streaming)
            prost(__types::ProstCodec); rpc request "Request" client_streaming
            unknown(__types::Status) (__types::Streaming) prost(__types::ProstCodec); }
            $($rest)* }
        };
    }
    #[doc(hidden)]
    #[allow(unused_imports)]
    pub use __pool_include_this_file_once_or_generate_it_with_cross_crate_false_awkward_names_clashes_3be21af97c9f85c4 as ClashesClient;
}
pub mod pool_client {
    #[doc(hidden)]
    #[allow(ambiguous_glob_reexports, deprecated, unreachable_pub, unused_imports)]
    pub mod __the_path_goes_through_pool_client {
        pub use super::super::Body;
        pub use super::super::Bytes;
        pub use super::super::Client;
        pub use super::super::Method;
        pub use super::super::Pointf32;
        pub use tonic_prost::ProstCodec;
    }
    #[doc(hidden)]
    #[allow(unused_macros)]
    #[macro_export]
    macro_rules! __pool_include_this_file_once_or_generate_it_with_cross_crate_false_awkward_names_pool_f94ea6a16ff8d437 {
        ($missing:ident ! { { $($then:tt)* } $($rest:tt)* }) => {
            $($then)* ! { { format 3; #[doc =
            " The names of what generated code works with."] service PoolClient
            __the_path_goes_through_pool_client "awkward.names.Pool"; rpc client "Client"
            unary unknown(__types::Body) (__types::Client) prost(__types::ProstCodec);
            rpc bytes "Bytes" unary unknown(__types::Bytes) (__types::Method)
            prost(__types::ProstCodec); rpc number "Number" unary
            unknown(__types::Pointf32) (__types::Pointf32) prost(__types::ProstCodec); }
            $($rest)* }
        };
    }
    #[doc(hidden)]
    #[allow(unused_imports)]
    pub use __pool_include_this_file_once_or_generate_it_with_cross_crate_false_awkward_names_pool_f94ea6a16ff8d437 as PoolClient;
}
