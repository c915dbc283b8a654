//! Calls of every generated method, against a server that says what it was asked.

use codegen::awkward::{self, left, names, right};
use codegen::helloworld::{HelloReply, HelloRequest};
use pool_runtime::pooled_client;
use tonic::{Response, Status, Streaming};

use crate::echo::{deadline, path, serve};

#[pooled_client(codegen::helloworld::greeter_client::GreeterClient)]
struct Greeter;

#[pooled_client(names::keywords_client::KeywordsClient)]
struct Keywords;

#[pooled_client(names::clashes_client::ClashesClient)]
struct Clashes;

#[pooled_client(names::pool_client::PoolClient)]
struct PoolService;

#[pooled_client(awkward::wkt::well_known_client::WellKnownClient)]
struct WellKnown;

#[pooled_client(awkward::exchange_client::ExchangeClient)]
struct Exchange;

#[pooled_client(codegen::bare_client::BareClient)]
struct Bare;

/// Deadlines of every kind, on one service.
#[pooled_client(
    codegen::helloworld::greeter_client::GreeterClient,
    deadline = "20s",
    say_hello(deadline = "10s")
)]
struct Limited;

#[pooled_client(codegen::helloworld::greeter_client::GreeterClient, say_hello(deadline = "none"))]
struct Unlimited;

/// Checks that a call went where it should, and gives its response.
#[track_caller]
fn went_to<T>(response: Result<Response<T>, Status>, expected: &str) -> T {
    let response = response.expect(expected);
    assert_eq!(path(response.metadata()), expected);
    response.into_inner()
}

/// The messages of a response stream that must not fail.
async fn all<T>(mut stream: Streaming<T>) -> Vec<T> {
    let mut messages = Vec::new();
    while let Some(message) = stream.message().await.expect("the stream does not fail") {
        messages.push(message);
    }
    messages
}

/// Calls RPCs that take and return one message with an `id`, and checks where they went and that the id came back.
macro_rules! echo_ids {
    ($client:ident, $service:literal, $($method:ident($request:ident) as $rpc:literal),* $(,)?) => {$(
        let request = names::$request { id: 7 };
        let response = went_to($client.$method(request).await, concat!("/", $service, "/", $rpc));
        assert_eq!(response.id, 7);
    )*};
}

#[tokio::test]
async fn all_four_shapes_are_called() {
    let greeter = Greeter::connect(serve().await).await.expect("the server is up");
    let request = |name: &str| HelloRequest {
        name: name.into(),
        times: 0,
    };
    let reply = |message: &str| HelloReply {
        message: message.into(),
    };
    let both = || tokio_stream::iter([request("a"), request("b")]);

    let one = went_to(greeter.say_hello(request("a")).await, "/helloworld.Greeter/SayHello");
    assert_eq!(one, reply("a"));
    let stream = greeter.say_many_hellos(request("a")).await;
    let stream = went_to(stream, "/helloworld.Greeter/SayManyHellos");
    assert_eq!(all(stream).await, [reply("a")]);
    let last = greeter.say_hello_to_all(tokio_stream::iter([request("a")])).await;
    assert_eq!(went_to(last, "/helloworld.Greeter/SayHelloToAll"), reply("a"));
    let stream = went_to(greeter.chat(both()).await, "/helloworld.Greeter/Chat");
    assert_eq!(all(stream).await, [reply("a"), reply("b")]);
}

#[tokio::test]
async fn rpcs_named_like_keywords_are_called_by_their_name() {
    let client = Keywords::connect_lazy(serve().await).expect("a valid target");
    echo_ids!(
        client, "awkward.names.Keywords",
        r#type(Option) as "Type",
        self_(String) as "Self",
        super_(Box) as "Super",
        crate_(Ok) as "Crate",
    );
    let one = || tokio_stream::iter([names::Option { id: 7 }]);
    let response = went_to(client.r#match(one()).await, "/awkward.names.Keywords/Match");
    assert_eq!(response.id, 7);
    let stream = client.r#async(names::Option { id: 7 }).await;
    assert_eq!(all(went_to(stream, "/awkward.names.Keywords/Async")).await.len(), 1);
    let stream = went_to(client.r#gen(one()).await, "/awkward.names.Keywords/Gen");
    assert_eq!(all(stream).await.len(), 1);
}

#[tokio::test]
async fn rpcs_that_had_to_be_renamed_are_called_by_their_name() {
    let client = Clashes::connect_lazy(serve().await).expect("a valid target");
    echo_ids!(
        client, "awkward.names.Clashes",
        new_(Request) as "New",
        connect_(Request) as "Connect",
        connect_lazy_(Request) as "ConnectLazy",
        pool_(Request) as "Pool",
        with_deadline_(Request) as "WithDeadline",
        with_origin(Request) as "WithOrigin",
        with_interceptor_(Request) as "WithInterceptor",
        send_compressed_(Request) as "SendCompressed",
        accept_compressed_(Request) as "AcceptCompressed",
        max_decoding_message_size_(Request) as "MaxDecodingMessageSize",
        max_encoding_message_size_(Request) as "MaxEncodingMessageSize",
        clone_(Request) as "Clone",
    );
    let one = || tokio_stream::iter([names::Status { id: 7 }]);
    let stream = went_to(client.method(one()).await, "/awkward.names.Clashes/METHOD");
    assert_eq!(all(stream).await.len(), 1);
    let response = went_to(client.request(one()).await, "/awkward.names.Clashes/Request");
    assert_eq!(response.id, 7);
}

#[tokio::test]
async fn a_service_named_pool_is_called() {
    let client = PoolService::connect_lazy(serve().await).expect("a valid target");
    echo_ids!(
        client, "awkward.names.Pool",
        client(Body) as "Client",
        bytes(Bytes) as "Bytes",
    );
    let point = names::Pointf32 { x: 0.5 };
    let response = went_to(client.number(point).await, "/awkward.names.Pool/Number");
    assert_eq!(response, point);
}

#[tokio::test]
async fn well_known_types_are_sent_and_received() {
    let client = WellKnown::connect_lazy(serve().await).expect("a valid target");
    let rpc = |name| format!("/awkward.wkt.WellKnown/{name}");

    went_to(client.nothing(()).await, &rpc("Nothing"));
    let when = prost_types::Timestamp { seconds: 3, nanos: 4 };
    let duration = went_to(client.when(when).await, &rpc("When"));
    assert_eq!(duration, prost_types::Duration { seconds: 3, nanos: 4 });
    went_to(client.whatever(prost_types::Any::default()).await, &rpc("Whatever"));
    let bytes = went_to(client.text("grüße".to_owned()).await, &rpc("Text"));
    assert_eq!(bytes, "grüße".as_bytes());
    assert_eq!(went_to(client.flag(false).await, &rpc("Flag")), 0.0);
    assert_eq!(went_to(client.small(7).await, &rpc("Small")), 7);
    assert_eq!(went_to(client.large(1 << 40).await, &rpc("Large")), 1 << 40);
    assert_eq!(went_to(client.single(0.5).await, &rpc("Single")), 0.5);
    let stream = client.ticks(tokio_stream::iter([(), ()])).await;
    assert_eq!(all(went_to(stream, &rpc("Ticks"))).await.len(), 2);
}

#[tokio::test]
async fn messages_of_the_same_name_are_those_of_their_packages() {
    let client = Exchange::connect_lazy(serve().await).expect("a valid target");
    let item = went_to(client.swap(left::Item::default()).await, "/awkward.Exchange/Swap");
    assert_eq!(item, right::Item::default());
    let back = client.swap_back(tokio_stream::iter([right::Item::default()])).await;
    assert_eq!(all(went_to(back, "/awkward.Exchange/SwapBack")).await.len(), 1);
    #[expect(deprecated, reason = "a deprecated RPC can be called all the same")]
    let part = client.swap_part(left::item::Part::default()).await;
    went_to(part, "/awkward.Exchange/SwapPart");
}

#[tokio::test]
async fn a_service_without_a_package_is_called() {
    let client = Bare::connect_lazy(serve().await).expect("a valid target");
    let message = codegen::BareMessage {
        text: "hello".to_owned(),
    };
    assert_eq!(went_to(client.echo(message.clone()).await, "/Bare/Echo"), message);
}

#[tokio::test]
async fn the_deadlines_of_the_attribute_go_out_with_the_call() {
    let target = serve().await;
    let limited = Limited::connect_lazy(&*target).expect("a valid target");
    let unlimited = Unlimited::connect_lazy(&*target).expect("a valid target");

    let response = limited.say_hello(HelloRequest::default()).await.expect("an answer");
    assert_within(deadline(response.metadata()), 10);
    let response = limited
        .say_many_hellos(HelloRequest::default())
        .await
        .expect("an answer");
    assert_within(deadline(response.metadata()), 20);
    let shorter = limited.with_deadline(std::time::Duration::from_secs(5));
    let response = shorter.say_hello(HelloRequest::default()).await.expect("an answer");
    assert_within(deadline(response.metadata()), 5);
    let response = unlimited.say_hello(HelloRequest::default()).await.expect("an answer");
    assert_eq!(deadline(response.metadata()), None);
}

/// Whether a `grpc-timeout` says that most of `seconds` are left.
#[track_caller]
fn assert_within(timeout: Option<&str>, seconds: u64) {
    let timeout = timeout.expect("a grpc-timeout");
    let (number, unit) = timeout.split_at(timeout.len() - 1);
    let nanos_per_unit = match unit {
        "S" => 1_000_000_000,
        "m" => 1_000_000,
        "u" => 1_000,
        "n" => 1,
        other => panic!("an unexpected unit {other}"),
    };
    let nanos = number.parse::<u64>().expect("a number") * nanos_per_unit;
    let limit = seconds * 1_000_000_000;
    assert!(nanos <= limit && nanos > limit / 2, "{timeout} of {seconds} s");
}
