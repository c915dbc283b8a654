pub mod well_known_client {
    #[doc(hidden)]
    #[allow(deprecated, unreachable_pub, unused_imports)]
    pub mod __pool {
        pub use ::prost::alloc::string::String;
        pub use ::prost::alloc::vec::Vec;
        pub use ::prost_types::Any;
        pub use ::prost_types::Duration;
        pub use ::prost_types::Struct;
        pub use ::prost_types::Timestamp;
        pub use tonic_prost::ProstCodec;
    }
    #[doc(hidden)]
    #[allow(unused_macros)]
    #[macro_export]
    macro_rules! __pool_include_this_file_once_or_generate_it_with_cross_crate_false_awkward_wkt_wellknown_32c3e8c2dc237d77 {
        ({ $($then:tt)* } { $($module:tt)* } $($rest:tt)*) => {
            $($then)* ! { { format 2; service WellKnownClient "awkward.wkt.WellKnown";
            rpc nothing "Nothing" unary unknown(()) (()) prost($($module)*
            ::__pool::ProstCodec); rpc when "When" unary unknown($($module)*
            ::__pool::Timestamp) ($($module)* ::__pool::Duration) prost($($module)*
            ::__pool::ProstCodec); rpc whatever "Whatever" unary unknown($($module)*
            ::__pool::Any) ($($module)* ::__pool::Struct) prost($($module)*
            ::__pool::ProstCodec); rpc text "Text" unary unknown($($module)*
            ::__pool::String) ($($module)* ::__pool::Vec < u8 >) prost($($module)*
            ::__pool::ProstCodec); rpc flag "Flag" unary unknown(bool) (f64)
            prost($($module)* ::__pool::ProstCodec); rpc small "Small" unary unknown(i32)
            (u32) prost($($module)* ::__pool::ProstCodec); rpc large "Large" unary
            unknown(i64) (u64) prost($($module)* ::__pool::ProstCodec); rpc single
            "Single" unary unknown(f32) (f32) prost($($module)* ::__pool::ProstCodec);
            rpc ticks "Ticks" bidi_streaming unknown(()) ($($module)*
            ::__pool::Timestamp) prost($($module)* ::__pool::ProstCodec); } $($rest)* }
        };
    }
    #[doc(hidden)]
    #[allow(unused_imports)]
    pub use __pool_include_this_file_once_or_generate_it_with_cross_crate_false_awkward_wkt_wellknown_32c3e8c2dc237d77 as compile_this_proto_with_pool_build;
}
