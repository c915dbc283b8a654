pub mod well_known_client {
    #[doc(hidden)]
    #[allow(ambiguous_glob_reexports, deprecated, unreachable_pub, unused_imports)]
    pub mod __the_path_goes_through_well_known_client {
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
        ($missing:ident ! { { $($then:tt)* } $($rest:tt)* }) => {
            $($then)* ! { { format 3; service WellKnownClient
            __the_path_goes_through_well_known_client "awkward.wkt.WellKnown"; rpc
            nothing "Nothing" unary unknown(()) (()) prost(__types::ProstCodec); rpc when
            "When" unary unknown(__types::Timestamp) (__types::Duration)
            prost(__types::ProstCodec); rpc whatever "Whatever" unary
            unknown(__types::Any) (__types::Struct) prost(__types::ProstCodec); rpc text
            "Text" unary unknown(__types::String) (__types::Vec < u8 >)
            prost(__types::ProstCodec); rpc flag "Flag" unary unknown(bool) (f64)
            prost(__types::ProstCodec); rpc small "Small" unary unknown(i32) (u32)
            prost(__types::ProstCodec); rpc large "Large" unary unknown(i64) (u64)
            prost(__types::ProstCodec); rpc single "Single" unary unknown(f32) (f32)
            prost(__types::ProstCodec); rpc ticks "Ticks" bidi_streaming unknown(())
            (__types::Timestamp) prost(__types::ProstCodec); } $($rest)* }
        };
    }
    #[doc(hidden)]
    #[allow(unused_imports)]
    pub use __pool_include_this_file_once_or_generate_it_with_cross_crate_false_awkward_wkt_wellknown_32c3e8c2dc237d77 as WellKnownClient;
}
