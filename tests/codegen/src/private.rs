//! Messages and a codec that are `pub(crate)`, named by `extern_path` and `codec_path`.

#![allow(
    private_interfaces,
    private_bounds,
    reason = "tonic's client is `pub`, its messages are not"
)]

pub(crate) mod messages {
    pub(crate) type HelloRequest = crate::helloworld::HelloRequest;

    #[derive(Clone, PartialEq, ::prost::Message)]
    pub(crate) struct HelloReply {
        #[prost(string, tag = "1")]
        pub(crate) message: String,
    }
}

pub(crate) mod codec {
    pub(crate) type Mute = tonic_prost::ProstCodec<super::messages::HelloRequest, super::messages::HelloReply>;
}

mod generated {
    include!(concat!(env!("OUT_DIR"), "/private/helloworld.rs"));
}

#[pool_runtime::pooled_client(generated::greeter_client::GreeterClient)]
pub struct Greeter;

/// The messages can be used where they are visible.
pub async fn greet(greeter: &Greeter, name: String) -> Result<String, tonic::Status> {
    let request = messages::HelloRequest { name, times: 0 };
    Ok(greeter.say_hello(request).await?.into_inner().message)
}
