//! A codec of the user's own, named by a path into the crate that has the generated client.

use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

use crate::helloworld::{HelloReply, HelloRequest};

/// Says nothing and hears nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Mute(());

impl Codec for Mute {
    type Encode = HelloRequest;
    type Decode = HelloReply;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Mute {
    type Item = HelloRequest;
    type Error = Status;

    fn encode(&mut self, _: HelloRequest, _: &mut EncodeBuf<'_>) -> Result<(), Status> {
        Ok(())
    }
}

impl Decoder for Mute {
    type Item = HelloReply;
    type Error = Status;

    fn decode(&mut self, _: &mut DecodeBuf<'_>) -> Result<Option<HelloReply>, Status> {
        Ok(Some(HelloReply::default()))
    }
}

/// The messages come from [`crate::helloworld`]: the package was generated with an `extern_path`.
pub mod generated {
    include!(concat!(env!("OUT_DIR"), "/codec/helloworld.rs"));
}

#[pool_runtime::pooled_client(self::generated::greeter_client::GreeterClient)]
pub struct Greeter;

/// The types of `crate::helloworld` are the types of the methods.
pub async fn greet(greeter: &Greeter, request: HelloRequest) -> Result<HelloReply, Status> {
    Ok(greeter.say_hello(request).await?.into_inner())
}
