//! Answers that are not gRPC's, or not all of it (R24, R25): never OK, and never parsed as what they are not.

use pool_runtime::{Error, Phase};
use tests::fault::{Conn, FaultServer, cases};
use tests::within;
use tonic::{Code, Status};

use super::{check_recovers, proven};
use crate::calls::{Client, echo, facts};

async fn check_not_grpc(client: &Client, what: &str, expected: Code) -> Status {
    let status = within("a call", client.unary(echo())).await.unwrap_err();
    assert_eq!(status.code(), expected, "{what}: {status:?}");
    assert_eq!(facts(&status), (Some(Phase::Responding), true, 1), "{what}: {status:?}");
    status
}

#[tokio::test]
async fn a_web_servers_answer_is_its_status_and_never_parsed() {
    let rows = [
        (200, Code::Unknown),
        (301, Code::Unknown),
        (400, Code::Internal),
        (401, Code::Unauthenticated),
        (403, Code::PermissionDenied),
        (404, Code::Unimplemented),
        (418, Code::Unknown),
        (429, Code::Unavailable),
        (431, Code::Unknown),
        (500, Code::Unknown),
        (502, Code::Unavailable),
        (503, Code::Unavailable),
        (504, Code::Unavailable),
    ];
    for (http, expected) in rows {
        let server = FaultServer::start(cases::plain_http(http)).await;
        let client = proven(&server).await;
        let status = check_not_grpc(&client, &http.to_string(), expected).await;
        assert!(
            status.message().contains(&http.to_string()) && status.message().contains("text/html"),
            "{status:?}"
        );
        check_recovers(client, server, 0).await;
    }
}

/// A server that answers each call but `Read` with these headers, and ends the stream with them or not.
async fn heading(headers: &'static [(&'static str, &'static str)], end: bool) -> FaultServer {
    FaultServer::start(move |mut conn: Conn| async move {
        conn.handshake(&[]).await?;
        loop {
            let request = cases::next_victim(&mut conn).await?;
            conn.send_headers(request.stream, headers, end).await?;
            if !end {
                conn.send_data(request.stream, b"\0\0\0\0\0", true).await?;
            }
        }
    })
    .await
}

#[tokio::test]
async fn headers_without_a_grpc_status_are_judged_by_their_http_status() {
    let grpc = ("content-type", "application/grpc");
    let rows: [(&'static [_], bool, Code); 3] = [
        (
            &[(":status", "503"), ("content-type", "application/grpc")],
            true,
            Code::Unavailable,
        ),
        (&[(":status", "404")], true, Code::Unimplemented),
        (&[(":status", "200")], false, Code::Unknown),
    ];
    assert_eq!(rows[0].0[1], grpc);
    for (headers, end, expected) in rows {
        let server = heading(headers, end).await;
        let client = proven(&server).await;
        check_not_grpc(&client, &format!("{headers:?}"), expected).await;
        check_recovers(client, server, 0).await;
    }
}

#[tokio::test]
async fn a_grpc_status_counts_whatever_the_http_status_and_an_unreadable_one_is_unknown() {
    let rows: [(&'static [_], Code); 4] = [
        (&[(":status", "503"), ("grpc-status", "10")], Code::Aborted),
        (
            &[
                (":status", "200"),
                ("content-type", "application/grpc"),
                ("grpc-status", "7"),
            ],
            Code::PermissionDenied,
        ),
        (
            &[
                (":status", "200"),
                ("content-type", "application/grpc"),
                ("grpc-status", "junk"),
            ],
            Code::Unknown,
        ),
        (
            &[
                (":status", "200"),
                ("content-type", "application/grpc"),
                ("grpc-status", "99"),
            ],
            Code::Unknown,
        ),
    ];
    for (headers, expected) in rows {
        let server = heading(headers, true).await;
        let client = proven(&server).await;
        let status = within("a call", client.unary(echo())).await.unwrap_err();
        assert_eq!(status.code(), expected, "{headers:?}: {status:?}");
        assert!(Error::of(&status).is_none(), "{status:?}");
        check_recovers(client, server, 0).await;
    }
}

#[tokio::test]
async fn a_response_without_trailers_is_never_ok() {
    let server = FaultServer::start(cases::no_trailers).await;
    let client = proven(&server).await;
    let status = within("a call", client.unary(echo())).await.unwrap_err();
    assert_ne!(status.code(), Code::Ok);
    let mut replies = client.server_stream(echo()).await.unwrap().into_inner();
    assert_eq!(replies.message().await.unwrap().unwrap().payload, b"payload");
    replies.message().await.unwrap_err();
    check_recovers(client, server, 0).await;
}

#[tokio::test]
async fn a_unary_answer_without_a_message_is_never_ok() {
    for data in [&b""[..], b"\0\0\0"] {
        let server = FaultServer::start(move |mut conn: Conn| async move {
            conn.handshake(&[]).await?;
            loop {
                let request = cases::next_victim(&mut conn).await?;
                conn.respond(request.stream).await?;
                conn.send_data(request.stream, data, false).await?;
                conn.trailers(request.stream, Code::Ok, "").await?;
            }
        })
        .await;
        let client = proven(&server).await;
        within("a call", client.unary(echo())).await.unwrap_err();
        check_recovers(client, server, 0).await;
    }
}
