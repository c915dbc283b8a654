pub mod keywords_client {
    #[doc(hidden)]
    #[allow(deprecated, unreachable_pub, unused_imports)]
    pub mod __pool {
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
        ({ $($then:tt)* } { $($module:tt)* } $($rest:tt)*) => {
            $($then)* ! { { format 2; service KeywordsClient "awkward.names.Keywords";
            rpc r#type "Type" unary unknown($($module)* ::__pool::Option) ($($module)*
            ::__pool::Result) prost($($module)* ::__pool::ProstCodec); rpc r#match
            "Match" client_streaming unknown($($module)* ::__pool::Option) ($($module)*
            ::__pool::Result) prost($($module)* ::__pool::ProstCodec); rpc r#async
            "Async" server_streaming unknown($($module)* ::__pool::Option) ($($module)*
            ::__pool::Result) prost($($module)* ::__pool::ProstCodec); rpc r#gen "Gen"
            bidi_streaming unknown($($module)* ::__pool::Option) ($($module)*
            ::__pool::Result) prost($($module)* ::__pool::ProstCodec); rpc self_ "Self"
            unary unknown($($module)* ::__pool::String) ($($module)* ::__pool::Vec)
            prost($($module)* ::__pool::ProstCodec); rpc super_ "Super" unary
            unknown($($module)* ::__pool::Box) ($($module)* ::__pool::Some)
            prost($($module)* ::__pool::ProstCodec); rpc crate_ "Crate" unary
            unknown($($module)* ::__pool::Ok) ($($module)* ::__pool::Err)
            prost($($module)* ::__pool::ProstCodec); } $($rest)* }
        };
    }
    #[doc(hidden)]
    #[allow(unused_imports)]
    pub use __pool_include_this_file_once_or_generate_it_with_cross_crate_false_awkward_names_keywords_2643c3b0b28ccca1 as compile_this_proto_with_pool_build;
}
pub mod clashes_client {
    #[doc(hidden)]
    #[allow(deprecated, unreachable_pub, unused_imports)]
    pub mod __pool {
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
        ({ $($then:tt)* } { $($module:tt)* } $($rest:tt)*) => {
            $($then)* ! { { format 2; service ClashesClient "awkward.names.Clashes";
            #[doc = " Makes a new one."] rpc new "New" unary unknown($($module)*
            ::__pool::Request) ($($module)* ::__pool::Response) prost($($module)*
            ::__pool::ProstCodec); rpc connect "Connect" unary unknown($($module)*
            ::__pool::Request) ($($module)* ::__pool::Response) prost($($module)*
            ::__pool::ProstCodec); rpc connect_lazy "ConnectLazy" unary
            unknown($($module)* ::__pool::Request) ($($module)* ::__pool::Response)
            prost($($module)* ::__pool::ProstCodec); rpc pool "Pool" unary
            unknown($($module)* ::__pool::Request) ($($module)* ::__pool::Response)
            prost($($module)* ::__pool::ProstCodec); rpc with_deadline "WithDeadline"
            unary unknown($($module)* ::__pool::Request) ($($module)* ::__pool::Response)
            prost($($module)* ::__pool::ProstCodec); rpc with_origin "WithOrigin" unary
            unknown($($module)* ::__pool::Request) ($($module)* ::__pool::Response)
            prost($($module)* ::__pool::ProstCodec); rpc with_interceptor
            "WithInterceptor" unary unknown($($module)* ::__pool::Request) ($($module)*
            ::__pool::Response) prost($($module)* ::__pool::ProstCodec); rpc
            send_compressed "SendCompressed" unary unknown($($module)* ::__pool::Request)
            ($($module)* ::__pool::Response) prost($($module)* ::__pool::ProstCodec); rpc
            accept_compressed "AcceptCompressed" unary unknown($($module)*
            ::__pool::Request) ($($module)* ::__pool::Response) prost($($module)*
            ::__pool::ProstCodec); rpc max_decoding_message_size "MaxDecodingMessageSize"
            unary unknown($($module)* ::__pool::Request) ($($module)* ::__pool::Response)
            prost($($module)* ::__pool::ProstCodec); rpc max_encoding_message_size
            "MaxEncodingMessageSize" unary unknown($($module)* ::__pool::Request)
            ($($module)* ::__pool::Response) prost($($module)* ::__pool::ProstCodec); rpc
            clone "Clone" unary unknown($($module)* ::__pool::Request) ($($module)*
            ::__pool::Response) prost($($module)* ::__pool::ProstCodec); rpc method
            "METHOD" bidi_streaming unknown($($module)* ::__pool::Status) ($($module)*
            ::__pool::Streaming) prost($($module)* ::__pool::ProstCodec); rpc request
            "Request" client_streaming unknown($($module)* ::__pool::Status) ($($module)*
            ::__pool::Streaming) prost($($module)* ::__pool::ProstCodec); } $($rest)* }
        };
    }
    #[doc(hidden)]
    #[allow(unused_imports)]
    pub use __pool_include_this_file_once_or_generate_it_with_cross_crate_false_awkward_names_clashes_3be21af97c9f85c4 as compile_this_proto_with_pool_build;
}
pub mod pool_client {
    #[doc(hidden)]
    #[allow(deprecated, unreachable_pub, unused_imports)]
    pub mod __pool {
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
        ({ $($then:tt)* } { $($module:tt)* } $($rest:tt)*) => {
            $($then)* ! { { format 2; #[doc =
            " The names of what generated code works with."] service PoolClient
            "awkward.names.Pool"; rpc client "Client" unary unknown($($module)*
            ::__pool::Body) ($($module)* ::__pool::Client) prost($($module)*
            ::__pool::ProstCodec); rpc bytes "Bytes" unary unknown($($module)*
            ::__pool::Bytes) ($($module)* ::__pool::Method) prost($($module)*
            ::__pool::ProstCodec); rpc number "Number" unary unknown($($module)*
            ::__pool::Pointf32) ($($module)* ::__pool::Pointf32) prost($($module)*
            ::__pool::ProstCodec); } $($rest)* }
        };
    }
    #[doc(hidden)]
    #[allow(unused_imports)]
    pub use __pool_include_this_file_once_or_generate_it_with_cross_crate_false_awkward_names_pool_f94ea6a16ff8d437 as compile_this_proto_with_pool_build;
}
