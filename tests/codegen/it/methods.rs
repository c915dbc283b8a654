//! The names of generated methods where the .proto's names mean something in Rust, in tonic's client or
//! in the pooled one. What is claimed here is shown by its compiling: nothing is called.

use codegen::awkward::names;
use pool_runtime::{Pool, pooled_client};

#[pooled_client(names::keywords_client::KeywordsClient, type(deadline = "1s"), r#match(idempotent))]
struct Keywords;

#[pooled_client(names::clashes_client::ClashesClient, new_(idempotent), pool_(deadline = "1s"))]
struct Clashes;

#[pooled_client(names::pool_client::PoolClient)]
struct PoolService;

#[pooled_client(codegen::bare_client::BareClient, deadline = "none", echo(deadline = "1m30s"))]
struct Bare;

#[test]
fn keywords_are_raw_names_or_end_in_an_underscore() {
    fn names(client: &Keywords) {
        drop(client.r#type(names::Option::default()));
        drop(client.r#match(tokio_stream::iter([names::Option::default()])));
        drop(client.r#async(names::Option::default()));
        drop(client.r#gen(tokio_stream::iter([names::Option::default()])));
        drop(client.self_(names::String::default()));
        drop(client.super_(names::Box::default()));
        drop(client.crate_(names::Ok::default()));
    }
    let _ = names;
}

#[test]
fn an_rpc_never_takes_the_place_of_a_function_of_the_client() {
    fn names(pool: Pool) {
        let client: Clashes = Clashes::new(pool);
        let client: Clashes = client.clone();
        let _: &Pool = client.pool();
        let request = names::Request::default;
        drop(client.new_(request()));
        drop(client.connect_(request()));
        drop(client.connect_lazy_(request()));
        drop(client.pool_(request()));
        drop(client.with_deadline_(request()));
        drop(client.with_origin(request()));
        drop(client.with_interceptor_(request()));
        drop(client.send_compressed_(request()));
        drop(client.accept_compressed_(request()));
        drop(client.max_decoding_message_size_(request()));
        drop(client.max_encoding_message_size_(request()));
        drop(client.clone_(request()));
        drop(client.method(tokio_stream::iter([names::Status::default()])));
        drop(client.request(tokio_stream::iter([names::Status::default()])));
    }
    let _ = names;
}

#[test]
fn tonics_own_client_and_server_of_such_a_service_compile_as_well() {
    fn client<T>(mut client: names::clashes_client::ClashesClient<T>)
    where
        T: tonic::client::GrpcService<tonic::body::Body>,
        T::Error: Into<tonic::codegen::StdError>,
        T::ResponseBody: tonic::codegen::Body<Data = tonic::codegen::Bytes> + Send + 'static,
        <T::ResponseBody as tonic::codegen::Body>::Error: Into<tonic::codegen::StdError> + Send,
    {
        drop(client.new_(names::Request::default()));
        drop(client.pool(names::Request::default()));
    }
    // The server's trait has no functions of its own, so it keeps the names.
    #[allow(dead_code, reason = "that it compiles is the test, and nothing implements the trait")]
    fn server<T: names::clashes_server::Clashes>(server: &T) {
        drop(server.new(tonic::Request::new(names::Request::default())));
        drop(server.clone(tonic::Request::new(names::Request::default())));
    }
    let _ = client::<tonic::transport::Channel>;
}

#[test]
fn messages_may_be_named_like_what_generated_code_works_with() {
    fn types(client: &PoolService) {
        drop(client.client(names::Body::default()));
        drop(client.bytes(names::Bytes::default()));
        drop(client.number(names::Pointf32::default()));
    }
    let _ = types;
}

#[test]
fn a_proto_without_a_package_is_as_good_as_any() {
    fn types(client: &Bare) {
        drop(client.echo(codegen::BareMessage::default()));
    }
    let _ = types;
}
