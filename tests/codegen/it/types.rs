//! The types of generated methods. What is claimed here is shown by its compiling: nothing is called.

use std::future::Future;

use codegen_api::helloworld::{HelloReply, HelloRequest};
use pool_runtime::{Pool, pooled_client};
use tonic::{Request, Response, Status, Streaming};

#[pooled_client(codegen_api::helloworld::greeter_client::GreeterClient)]
struct Greeter;

#[pooled_client(codegen_api::wkt::well_known_client::WellKnownClient)]
struct WellKnown;

#[pooled_client(codegen::awkward::exchange_client::ExchangeClient)]
struct Exchange;

/// Whatever `call` is, it can be awaited on any thread and gives a response of `T`.
fn answers<T>(call: impl Future<Output = Result<Response<T>, Status>> + Send) {
    drop(call);
}

#[test]
fn methods_of_all_four_shapes_have_the_types_of_tonic_and_futures_that_are_send() {
    fn shapes(greeter: &Greeter, one: HelloRequest, many: Vec<HelloRequest>) {
        answers::<HelloReply>(greeter.say_hello(one.clone()));
        answers::<HelloReply>(greeter.say_hello(Request::new(one.clone())));
        answers::<Streaming<HelloReply>>(greeter.say_many_hellos(one));
        let stream = || tokio_stream::iter(many.clone());
        answers::<HelloReply>(greeter.say_hello_to_all(stream()));
        answers::<HelloReply>(greeter.say_hello_to_all(Request::new(stream())));
        answers::<Streaming<HelloReply>>(greeter.chat(stream()));
    }
    let _ = shapes;
}

#[test]
fn a_client_is_clone_debug_send_and_sync_and_its_calls_can_be_spawned() {
    fn client<T: Clone + std::fmt::Debug + Send + Sync + 'static>() {}
    fn spawned(greeter: Greeter) -> impl Future + Send + 'static {
        async move { greeter.say_hello(HelloRequest::default()).await }
    }
    client::<Greeter>();
    let _ = spawned;
}

#[test]
fn a_client_is_made_from_a_pool_or_a_target_and_set_up_in_one_expression() {
    fn from_pool(pool: Pool) -> Greeter {
        Greeter::new(pool)
            .with_deadline(std::time::Duration::from_secs(2))
            .with_interceptor(|request: Request<()>| Ok(request))
            .max_decoding_message_size(4 << 20)
            .max_encoding_message_size(1 << 20)
    }
    async fn from_target() -> Result<(Greeter, Greeter), pool_runtime::Error> {
        let greeter = Greeter::connect("http://127.0.0.1:1").await?;
        let lazy = Greeter::connect_lazy(String::from("http://127.0.0.1:1"))?;
        let _: &Pool = lazy.pool();
        Ok((greeter, lazy))
    }
    let _ = (from_pool, from_target);
}

#[test]
fn well_known_types_are_the_rust_types_that_prost_has_for_them() {
    fn types(client: &WellKnown) {
        answers::<()>(client.nothing(()));
        answers::<prost_types::Duration>(client.when(prost_types::Timestamp::default()));
        answers::<prost_types::Struct>(client.whatever(prost_types::Any::default()));
        answers::<Vec<u8>>(client.text(String::new()));
        answers::<f64>(client.flag(true));
        answers::<u32>(client.small(1_i32));
        answers::<u64>(client.large(1_i64));
        answers::<f32>(client.single(1.0_f32));
        answers::<Streaming<prost_types::Timestamp>>(client.ticks(tokio_stream::iter([()])));
    }
    let _ = types;
}

#[test]
fn messages_of_the_same_name_are_told_apart() {
    use codegen::awkward::{Item, left, right};

    fn types(client: &Exchange) {
        answers::<right::Item>(client.swap(left::Item::default()));
        answers::<Streaming<Item>>(client.swap_back(tokio_stream::iter([right::Item::default()])));
    }
    let _ = types;
}

#[test]
fn a_deprecated_rpc_is_a_deprecated_method() {
    use codegen::awkward::{left, right};

    #[expect(deprecated, reason = "the warning is what is tested")]
    fn types(client: &Exchange) {
        answers::<right::item::Part>(client.swap_part(left::item::Part::default()));
    }
    let _ = types;
}
