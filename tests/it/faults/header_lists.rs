//! Header blocks over `max_header_list_size`: never cut in silence, and the calls beside them go on.

use pool_runtime::{Builder, Pool};
use tests::fault::{Conn, FaultServer, cases};
use tests::server::TestServer;
use tests::within;
use tonic::{Code, Status};

use super::conformance::{GRPC, MESSAGE, STATUS, Shape, Step, answering, head, last, message_then};
use crate::calls::{Caller, Client, echo, scripted};

fn big(size: usize) -> String {
    "m".repeat(size)
}

/// Plays the answer to every shape and expects RESOURCE_EXHAUSTED that names the setting.
async fn check_too_large(what: &str, answer: Vec<Step>) {
    let server = answering(answer).await;
    let client = super::proven(&server).await;
    for mut caller in Caller::all(client.pool()).await {
        for shape in Shape::ALL {
            let status = within(what, shape.call(&mut caller)).await.unwrap_err();
            assert_too_large(what, &status);
        }
    }
    super::check_clean(&client, server).await;
}

#[track_caller]
fn assert_too_large(what: &str, status: &Status) {
    assert_eq!(status.code(), Code::ResourceExhausted, "{what}: {status:?}");
    assert!(
        status.message().contains("max_header_list_size") && status.message().contains("65536"),
        "{what}: {status:?}"
    );
}

#[tokio::test]
async fn trailers_over_the_limit_are_an_error() {
    for size in [70_000, 300_000] {
        let big = big(size);
        let rows: [(&str, Vec<(&str, &str)>); 4] = [
            ("a long message", vec![("grpc-status", "9"), ("grpc-message", &big)]),
            (
                "an OK that is cut",
                vec![
                    ("grpc-status", "0"),
                    ("x-checksum", "abc"),
                    ("x-big", &big),
                    ("x-last", "z"),
                ],
            ),
            (
                "a status that is cut off",
                vec![("x-big", &big), ("grpc-status", "9"), ("grpc-message", "quota")],
            ),
            ("nothing else", vec![("x-big", &big)]),
        ];
        for (what, fields) in rows {
            check_too_large(what, message_then(last(&fields))).await;
        }
    }
}

#[tokio::test]
async fn headers_over_the_limit_are_an_error() {
    for size in [70_000, 300_000] {
        let big = big(size);
        let fields = [STATUS, GRPC, ("x-big", &big)];
        let ok = last(&[("grpc-status", "0")]);
        check_too_large("headers", vec![head(&fields), MESSAGE, ok]).await;
        let failure = [STATUS, GRPC, ("grpc-status", "9"), ("grpc-message", &big)];
        check_too_large("at once", vec![last(&failure)]).await;
    }
}

/// What h2 itself cuts, above its own limit.
#[tokio::test]
async fn blocks_that_h2_cuts_are_an_error() {
    for size in [1_100_000, 3_000_000] {
        let big = big(size);
        let rows: [Vec<(&str, &str)>; 2] = [
            vec![("grpc-status", "0"), ("x-big", &big)],
            vec![("x-big", &big), ("grpc-status", "9")],
        ];
        for fields in rows {
            let server = answering_in_pieces(
                fields
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .collect(),
            )
            .await;
            let client = Client::new(
                Pool::builder(server.uri())
                    .max_connections(1)
                    .max_frame_size(1 << 23)
                    .build()
                    .unwrap(),
            );
            for mut caller in Caller::all(client.pool()).await {
                for shape in Shape::ALL {
                    let status = within("a call", shape.call(&mut caller)).await.unwrap_err();
                    assert_too_large("cut by h2", &status);
                }
            }
        }
    }
}

/// A server that answers each call with one message and these trailers.
async fn answering_in_pieces(trailers: Vec<(String, String)>) -> FaultServer {
    FaultServer::start(move |mut conn: Conn| {
        let trailers = trailers.clone();
        async move {
            conn.handshake(&[]).await?;
            loop {
                let request = cases::next_victim(&mut conn).await?;
                conn.respond(request.stream).await?;
                conn.send_message(request.stream, &conn.reply_to(&request)).await?;
                let fields: Vec<_> = trailers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
                conn.send_headers(request.stream, &fields, true).await?;
            }
        }
    })
    .await
}

#[tokio::test]
async fn calls_beside_a_long_message_go_on() {
    let server = FaultServer::start(|mut conn: Conn| async move {
        conn.handshake(&[]).await?;
        let read = conn.next_request().await?;
        conn.reply(&read).await?;
        let mut open = Vec::new();
        for _ in 0..6 {
            open.push(conn.next_request().await?);
        }
        let long = "m".repeat(300_000);
        conn.respond(open[0].stream).await?;
        conn.send_headers(open[0].stream, &[("grpc-status", "9"), ("grpc-message", &long)], true)
            .await?;
        for request in &open[1..] {
            conn.reply(request).await?;
        }
        conn.serve().await
    })
    .await;
    let client = super::proven(&server).await;
    let calls: Vec<_> = (0..6)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.unary(echo()).await })
        })
        .collect();
    let mut failed = 0;
    for call in calls {
        if let Err(status) = within("a call", call).await.unwrap() {
            assert_too_large("the long one", &status);
            failed += 1;
        }
    }
    assert_eq!(failed, 1);
    super::check_recovers(client, server, 0).await;
}

/// A block beyond four times what h2 takes ends the connection (engine), and the error names the setting.
#[tokio::test]
async fn a_block_that_ends_the_connection_is_named() {
    let server = answering_in_pieces(vec![("grpc-message".to_owned(), big(6 << 20))]).await;
    let pool = Pool::builder(server.uri()).max_frame_size(1 << 23).build().unwrap();
    let client = Client::new(pool);
    within("the first call", client.read(echo())).await.unwrap();
    let status = within("a call", client.unary(echo())).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    assert!(status.message().contains("max_header_list_size"), "{status:?}");
}

fn numbered(letter: char, count: usize) -> Vec<(String, String)> {
    (0..count).map(|n| (format!("{letter}{n}"), "1".to_owned())).collect()
}

#[tokio::test]
async fn many_headers_and_trailers_do_not_panic() {
    for (headers, trailers) in [(20_000, 20_000), (11_000, 11_000), (0, 30_000), (30_000, 0)] {
        let server = FaultServer::start(move |mut conn: Conn| async move {
            conn.handshake(&[]).await?;
            loop {
                let request = cases::next_victim(&mut conn).await?;
                let mut first = vec![
                    (":status".to_owned(), "200".to_owned()),
                    (GRPC.0.to_owned(), GRPC.1.to_owned()),
                ];
                first.extend(numbered('h', headers));
                let mut last = numbered('t', trailers);
                last.push(("grpc-status".to_owned(), "0".to_owned()));
                let fields = |list: &[(String, String)]| -> Vec<(&'static str, String)> {
                    list.iter().map(|(n, v)| (&*n.clone().leak(), v.clone())).collect()
                };
                conn.send_headers(request.stream, &fields(&first), false).await?;
                conn.send_message(request.stream, &conn.reply_to(&request)).await?;
                conn.send_headers(request.stream, &fields(&last), true).await?;
            }
        })
        .await;
        let pool = Pool::builder(server.uri())
            .max_header_list_size(16 << 20)
            .max_connections(1);
        let client = Client::new(pool.build().unwrap());
        within("the first call", client.read(echo())).await.unwrap();
        for mut caller in Caller::all(client.pool()).await {
            for shape in Shape::ALL {
                let came = within("a call", shape.call(&mut caller)).await;
                if headers.max(trailers) > 12_000 {
                    assert_eq!(came.as_ref().unwrap_err().code(), Code::ResourceExhausted, "{shape:?}");
                } else {
                    assert_eq!(came.unwrap(), 1, "{shape:?}");
                }
            }
        }
    }
}

#[tokio::test]
async fn metadata_of_a_request_does_not_panic() {
    let server = TestServer::start().await;
    let client = Client::new(Pool::builder(server.uri()).build().unwrap());
    let request = || {
        let mut request = tonic::Request::new(echo());
        for n in 0..24_500 {
            let name: tonic::metadata::AsciiMetadataKey = format!("x{n}").parse().unwrap();
            request.metadata_mut().insert(name, "1".parse().unwrap());
        }
        request
    };
    let streaming = || request().map(|message| tokio_stream::iter([message]));
    let results = [
        client.unary(request()).await.map(drop),
        client.client_stream(streaming()).await.map(drop),
        client.server_stream(request()).await.map(drop),
        client.bidi(streaming()).await.map(drop),
    ];
    for status in results.map(Result::unwrap_err) {
        assert_eq!(status.code(), Code::Internal, "{status:?}");
        assert!(status.message().contains("metadata"), "{status:?}");
    }
    assert_eq!((client.pool().stats().in_flight, server.stats().streams_total), (0, 0));
}

#[tokio::test]
async fn the_least_limit_lets_an_answer_pass() {
    let server = TestServer::start().await;
    let limited = |size| -> Builder { Pool::builder(server.uri()).max_header_list_size(size) };
    for size in [1, 255, (16 << 20) + 1, u32::MAX] {
        let error = limited(size).build().unwrap_err();
        assert!(error.to_string().contains("max_header_list_size"), "{error}");
    }
    for size in [256, 16 << 20] {
        let client = Client::new(limited(size).build().unwrap());
        client.unary(echo()).await.unwrap();
        let failing = tests::pb::Script {
            failure: Some(tests::pb::Failure {
                code: 5,
                ..tests::pb::Failure::default()
            }),
            ..tests::pb::Script::default()
        };
        let status = client.unary(scripted(failing)).await.unwrap_err();
        assert_eq!(status.code(), Code::NotFound, "{status:?}");
    }
}

/// Large headers of a response do not count against its trailers.
#[tokio::test]
async fn large_metadata_before_ordinary_trailers_is_fine() {
    for size in [20_000, 30_000, 60_000] {
        // Not what Huffman's code makes shorter.
        let large = "\\".repeat(size);
        let answer = vec![
            head(&[STATUS, GRPC, ("x-large", &large)]),
            MESSAGE,
            last(&[("grpc-status", "0")]),
        ];
        let server = answering(answer).await;
        let client = super::proven(&server).await;
        for mut caller in Caller::all(client.pool()).await {
            for shape in Shape::ALL {
                within("a call", shape.call(&mut caller)).await.unwrap();
            }
        }
        super::check_clean(&client, server).await;
    }
}
