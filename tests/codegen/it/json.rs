//! A service without a .proto, whose messages a codec of the user's own encodes as JSON. Its server is tonic's, by
//! `tonic_build::manual`.

use std::marker::PhantomData;
use std::pin::Pin;

use bytes::{Buf, BufMut};
use pool_runtime::pooled_client;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_stream::{Stream, StreamExt};
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::{Code, Request, Response, Status, Streaming};

use self::generated::oracle_server::{Oracle, OracleServer};

mod generated {
    #![allow(unreachable_pub, clippy::all, reason = "generated")]
    include!(concat!(env!("OUT_DIR"), "/json.Oracle.rs"));
}

#[pooled_client(
    service = "json.Oracle",
    codec = "crate::json::JsonCodec",
    rpc Ask(Question) returns (Answer),
    rpc AskAll(stream Question) returns (stream Answer),
)]
struct Pooled;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Question {
    text: String,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Answer {
    length: usize,
}

/// Encodes each message as JSON.
#[derive(Debug)]
pub(crate) struct JsonCodec<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for JsonCodec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> Codec for JsonCodec<T, U>
where
    T: Serialize + Send + 'static,
    U: DeserializeOwned + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = JsonCodec<T, U>;
    type Decoder = JsonCodec<T, U>;

    fn encoder(&mut self) -> Self::Encoder {
        Self::default()
    }

    fn decoder(&mut self) -> Self::Decoder {
        Self::default()
    }
}

impl<T: Serialize, U> Encoder for JsonCodec<T, U> {
    type Item = T;
    type Error = Status;

    fn encode(&mut self, item: T, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        serde_json::to_writer(buffer.writer(), &item).map_err(|error| Status::internal(error.to_string()))
    }
}

impl<T, U: DeserializeOwned> Decoder for JsonCodec<T, U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        let item = serde_json::from_reader(buffer.reader());
        item.map(Some).map_err(|error| Status::internal(error.to_string()))
    }
}

struct Length;

fn answer(question: &Question) -> Answer {
    Answer {
        length: question.text.len(),
    }
}

#[tonic::async_trait]
impl Oracle for Length {
    async fn ask(&self, request: Request<Question>) -> Result<Response<Answer>, Status> {
        let question = request.into_inner();
        if question.text.is_empty() {
            return Err(Status::invalid_argument("no question"));
        }
        Ok(Response::new(answer(&question)))
    }

    type AskAllStream = Pin<Box<dyn Stream<Item = Result<Answer, Status>> + Send>>;

    async fn ask_all(&self, request: Request<Streaming<Question>>) -> Result<Response<Self::AskAllStream>, Status> {
        let answers = request.into_inner().map(|question| Ok(answer(&question?)));
        Ok(Response::new(Box::pin(answers)))
    }
}

fn question(text: &str) -> Question {
    Question { text: text.to_owned() }
}

#[tokio::test]
async fn a_json_service_is_called() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("the address of a bound socket");
    let server = tonic::transport::Server::builder().add_service(OracleServer::new(Length));
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));

    let oracle = Pooled::connect(format!("http://{address}"))
        .await
        .expect("the server is up");
    let answer = oracle.ask(question("why")).await.expect("an answer");
    assert_eq!(answer.into_inner(), Answer { length: 3 });
    let refused = oracle.ask(question("")).await.expect_err("an empty question");
    assert_eq!(refused.code(), Code::InvalidArgument);
    let questions = tokio_stream::iter([question("a"), question("bc")]);
    let mut answers = oracle.ask_all(questions).await.expect("an answer").into_inner();
    for length in [1, 2] {
        let answer = answers.message().await.expect("the stream does not fail");
        assert_eq!(answer, Some(Answer { length }));
    }
    assert_eq!(answers.message().await.expect("the stream does not fail"), None);
}
