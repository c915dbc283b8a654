pub mod greeter_client {
    #[doc(hidden)]
    #[allow(ambiguous_glob_reexports, deprecated, unreachable_pub, unused_imports)]
    pub mod __the_path_goes_through_greeter_client {
        pub use super::super::HelloReply;
        pub use super::super::HelloRequest;
        pub use tonic_prost::ProstCodec;
    }
    #[doc(hidden)]
    #[allow(unused_macros)]
    #[macro_export]
    macro_rules! __pool_include_this_file_once_or_generate_it_with_cross_crate_false_helloworld_greeter_60389edbb5abd401 {
        ($missing:ident ! { { $($then:tt)* } $($rest:tt)* }) => {
            $($then)* ! { { format 3; #[doc =
            " Says hello, in every shape a call can have."] service GreeterClient
            __the_path_goes_through_greeter_client "helloworld.Greeter"; #[doc =
            " Greets one caller."] rpc say_hello "SayHello" unary
            no_side_effects(__types::HelloRequest) (__types::HelloReply)
            prost(__types::ProstCodec); #[doc =
            " Greets one caller as many times as asked for."] rpc say_many_hellos
            "SayManyHellos" server_streaming unknown(__types::HelloRequest)
            (__types::HelloReply) prost(__types::ProstCodec); #[doc =
            " Greets all callers at once."] rpc say_hello_to_all "SayHelloToAll"
            client_streaming unknown(__types::HelloRequest) (__types::HelloReply)
            prost(__types::ProstCodec); #[doc =
            " Greets every caller as soon as it is named."] rpc chat "Chat"
            bidi_streaming unknown(__types::HelloRequest) (__types::HelloReply)
            prost(__types::ProstCodec); } $($rest)* }
        };
    }
    #[doc(hidden)]
    #[allow(unused_imports)]
    pub use __pool_include_this_file_once_or_generate_it_with_cross_crate_false_helloworld_greeter_60389edbb5abd401 as GreeterClient;
}
