//! The tracing span of a call: OpenTelemetry's semantic names, and the status it ended with.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use tests::pb::{Failure, Script};
use tests::server::TestServer;
use tonic::Code;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Dispatch, Event, Metadata, Subscriber};

use super::{connected, echo, hanging, scripted};

/// A span's fields, as text.
type Fields = HashMap<&'static str, String>;

/// Keeps the fields of every span named `grpc.call`, in the order in which they were opened.
#[derive(Clone, Default)]
struct Spans(Arc<Mutex<Vec<Fields>>>);

struct Recorder<'a>(&'a mut Fields);

impl Visit for Recorder<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0
            .insert(field.name(), format!("{value:?}").trim_matches('"').to_owned());
    }
}

impl Subscriber for Spans {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_span() && metadata.name() == "grpc.call"
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut fields = Fields::new();
        span.record(&mut Recorder(&mut fields));
        let mut spans = self.0.lock().unwrap();
        spans.push(fields);
        Id::from_u64(spans.len() as u64)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        let index = span.into_u64() as usize - 1;
        values.record(&mut Recorder(&mut self.0.lock().unwrap()[index]));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

impl Spans {
    /// The fields of the latest span, which are to be those of a call of `method` that ended with `code`.
    #[track_caller]
    fn check_last(&self, method: &str, code: Code, server: &TestServer) {
        let fields = self.0.lock().unwrap().last().unwrap().clone();
        let address = server.address().unwrap();
        let (host, port, code) = (
            address.ip().to_string(),
            address.port().to_string(),
            (code as i32).to_string(),
        );
        let expected = [
            ("otel.kind", "client"),
            ("rpc.system", "grpc"),
            ("rpc.service", "pooltest.TestService"),
            ("rpc.method", method),
            ("rpc.grpc.status_code", &code),
            ("server.address", &host),
            ("server.port", &port),
        ];
        let expected = expected.map(|(name, value)| (name, value.to_owned())).into();
        assert_eq!(fields, expected);
    }
}

#[tokio::test]
async fn a_span_names_the_call_and_the_status_it_ended_with() {
    let spans = Spans::default();
    // With one dispatcher alone, tracing asks each thread's own default whether a callsite is of interest, and the
    // other tests' threads, which have none, would answer for this one. With two, it asks the two.
    let _second = Dispatch::new(spans.clone());
    let _guard = tracing::subscriber::set_default(spans.clone());
    let server = TestServer::start().await;
    let client = connected(server.uri()).await;

    client.unary(echo()).await.unwrap();
    spans.check_last("Unary", Code::Ok, &server);

    let failing = |after| {
        scripted(Script {
            failure: Some(Failure {
                code: Code::Aborted.into(),
                message: String::new(),
                after,
            }),
            replies: after,
            ..Script::default()
        })
    };
    // In the headers (Trailers-Only), and after a reply.
    client.unary(failing(0)).await.unwrap_err();
    spans.check_last("Unary", Code::Aborted, &server);
    let mut replies = client.server_stream(failing(1)).await.unwrap().into_inner();
    replies.message().await.unwrap();
    replies.message().await.unwrap_err();
    spans.check_last("ServerStream", Code::Aborted, &server);

    // Retried: `Read` is declared free of side effects.
    let script = Script {
        key: "one call".to_owned(),
        fail_first: 1,
        failure: Some(Failure {
            code: Code::Unavailable.into(),
            ..Failure::default()
        }),
        ..Script::default()
    };
    client.read(scripted(script)).await.unwrap();
    let attempts = spans.0.lock().unwrap().last().unwrap().get("grpc.attempts").cloned();
    assert_eq!(attempts.as_deref(), Some("2"));

    // Failures on this side: of the body, and before there is one.
    let mut replies = client.server_stream(hanging(1)).await.unwrap().into_inner();
    replies.message().await.unwrap();
    server.cut_all();
    replies.message().await.unwrap_err();
    spans.check_last("ServerStream", Code::Unavailable, &server);
    client.pool().close();
    client.bidi(tokio_stream::iter([echo()])).await.unwrap_err();
    spans.check_last("Bidi", Code::Unavailable, &server);
    assert_eq!(spans.0.lock().unwrap().len(), 6);
}
