//! The floor: h2 driven directly from the caller's task, with bytes that were encoded beforehand and an answer that is
//! read and not decoded. What any client on h2 costs more than this, its own layers cost.

use std::net::SocketAddr;

use bytes::{BufMut, Bytes, BytesMut};
use h2::RecvStream;
use h2::client::SendRequest;
use http::header::{CONTENT_TYPE, HeaderValue, TE, USER_AGENT};
use http::{Method, Request, Uri, Version};
use prost::Message;
use tokio::net::TcpStream;

use super::{Caller, Job, Shape, plain};
use crate::Failure;

/// A connection, and the one request that is made on it over and over.
#[derive(Debug, Clone)]
pub(crate) struct Floor {
    send: SendRequest<Bytes>,
    uri: Uri,
    /// One message, with gRPC's five bytes in front.
    message: Bytes,
    messages: u32,
}

impl Floor {
    /// Connects, and encodes what the job sends.
    ///
    /// # Errors
    ///
    /// It could not connect.
    pub(crate) async fn connect(address: SocketAddr, job: &Job) -> Result<Self, Failure> {
        let socket = TcpStream::connect(address).await?;
        socket.set_nodelay(true)?;
        let (send, connection) = h2::client::Builder::new()
            .enable_push(false)
            .initial_window_size(2 << 20)
            .initial_connection_window_size(5 << 20)
            .handshake(socket)
            .await?;
        tokio::spawn(connection);
        let (method, messages) = match job.shape {
            Shape::Unary => ("SayHello", 1),
            Shape::ServerStreaming => ("SayManyHellos", 1),
            Shape::ClientStreaming => ("SayHelloToAll", job.messages),
            Shape::Bidi => ("Chat", job.messages),
        };
        Ok(Self {
            send: send.ready().await?,
            uri: format!("http://{address}/helloworld.Greeter/{method}").parse()?,
            message: encode(job)?,
            messages,
        })
    }

    fn request(&self) -> Request<()> {
        let mut request = Request::new(());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        *request.version_mut() = Version::HTTP_2;
        let headers = request.headers_mut();
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(USER_AGENT, HeaderValue::from_static("floor/0.1"));
        request
    }
}

impl Caller for Floor {
    async fn call(&mut self, _: &Job) -> Result<(), Failure> {
        let (response, mut stream) = self.send.send_request(self.request(), false)?;
        for sent in 1..=self.messages {
            stream.send_data(self.message.clone(), sent == self.messages)?;
        }
        drain(response.await?.into_body()).await
    }
}

fn encode(job: &Job) -> Result<Bytes, Failure> {
    let message = plain::message(job);
    let length = message.encoded_len();
    let mut bytes = BytesMut::with_capacity(5 + length);
    bytes.put_u8(0);
    bytes.put_u32(u32::try_from(length)?);
    message.encode(&mut bytes)?;
    Ok(bytes.freeze())
}

/// Reads a response to its trailers, which must say that all went well.
async fn drain(mut body: RecvStream) -> Result<(), Failure> {
    while let Some(data) = body.data().await {
        let length = data?.len();
        body.flow_control().release_capacity(length)?;
    }
    let trailers = body.trailers().await?.ok_or("no trailers")?;
    match trailers.get("grpc-status").map(HeaderValue::as_bytes) {
        Some(b"0") => Ok(()),
        status => Err(format!("grpc-status {status:?}").into()),
    }
}
