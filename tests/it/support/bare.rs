//! A client with nothing between it and `h2`: what it sees is what the server sent.

use bytes::{BufMut, Bytes, BytesMut};
use h2::client::SendRequest;
use h2::{Ping, PingPong};
use prost::Message;
use tests::fault::FaultServer;
use tests::pb::TestRequest;
use tokio::net::TcpStream;

/// A connection that takes no stream limit for granted before the server has named one.
pub(super) struct Bare {
    pub(super) requests: SendRequest<Bytes>,
    pings: PingPong,
    _driver: Driver,
}

/// The task of the connection, which ends with its client.
struct Driver(tokio::task::JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What came of a call.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) status: Option<u16>,
    pub(super) content_type: Option<String>,
    pub(super) body: BytesMut,
    pub(super) grpc_status: Option<String>,
    pub(super) error: Option<h2::Error>,
}

impl Bare {
    pub(super) async fn connect(server: &FaultServer) -> Self {
        let socket = TcpStream::connect(server.address()).await.unwrap();
        let mut builder = h2::client::Builder::new();
        // Tiny frames are what some of the cases are about.
        builder.initial_max_send_streams(0).data_frame_budget(1 << 20);
        let handshake = builder.handshake(socket);
        let (requests, mut connection) = handshake.await.unwrap();
        let pings = connection.ping_pong().unwrap();
        let driver = tokio::spawn(async move {
            // How it ends shows in the calls.
            let _ = connection.await;
        });
        Self {
            requests,
            pings,
            _driver: Driver(driver),
        }
    }

    /// Sends a PING and waits for its acknowledgement.
    pub(super) async fn ping(&mut self) {
        self.pings.ping(Ping::opaque()).await.unwrap();
    }

    /// Makes a unary call as soon as the server's limit allows for it.
    pub(super) async fn call(&mut self, path: &str, message: TestRequest) -> Answer {
        let mut answer = Answer::default();
        if let Err(error) = self.answer_to(path, message, &mut answer).await {
            answer.error = Some(error);
        }
        answer
    }

    async fn answer_to(&mut self, path: &str, message: TestRequest, answer: &mut Answer) -> Result<(), h2::Error> {
        let uri = format!("http://test{path}");
        let request = http::Request::post(uri).header("te", "trailers").body(()).unwrap();
        self.requests = self.requests.clone().ready().await?;
        let (response, mut body) = self.requests.send_request(request, false)?;
        body.send_data(framed(&message), true)?;

        let (head, mut body) = response.await?.into_parts();
        answer.status = Some(head.status.as_u16());
        answer.content_type = text(&head.headers, "content-type");
        answer.grpc_status = text(&head.headers, "grpc-status");
        while let Some(data) = body.data().await {
            let data = data?;
            body.flow_control().release_capacity(data.len())?;
            answer.body.extend_from_slice(&data);
        }
        if let Some(trailers) = body.trailers().await? {
            answer.grpc_status = text(&trailers, "grpc-status");
        }
        Ok(())
    }
}

fn text(headers: &http::HeaderMap, name: &str) -> Option<String> {
    Some(headers.get(name)?.to_str().unwrap().to_owned())
}

pub(super) fn framed(message: &impl Message) -> Bytes {
    let mut framed = BytesMut::new();
    framed.put_u8(0);
    framed.put_u32(message.encoded_len() as u32);
    message.encode(&mut framed).unwrap();
    framed.freeze()
}
