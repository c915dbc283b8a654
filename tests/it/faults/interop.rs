//! gRPC's eight HTTP/2 interop cases, under their official names, and what a client must do in each.

use pool_runtime::Phase;
use tests::fault::{FaultServer, cases};
use tests::pb::Script;
use tests::wire::kind;
use tests::within;
use tokio::task::JoinSet;
use tonic::Code;

use super::{check_clean, check_recovers, proven};
use crate::calls::{client, echo, facts, scripted};

#[tokio::test]
async fn goaway() {
    let server = FaultServer::start(cases::goaway).await;
    let client = client(server.uri());
    // No call waits for the one before it to be noticed: what comes too late for a connection is replayed.
    for connection in 0..20 {
        let reply = within("a call", client.unary(echo())).await.unwrap();
        assert_eq!(reply.into_inner().connection, connection);
    }
    check_clean(&client, server).await;
}

/// Checks that a reset with NO_ERROR fails the call, and the call only.
async fn check_reset(server: FaultServer) {
    let client = proven(&server).await;
    let status = within("a call", client.unary(echo())).await.unwrap_err();
    assert_eq!(status.code(), Code::Internal, "{status:?}");
    assert_eq!(facts(&status), (Some(Phase::Responding), true, 1));
    assert_eq!(server.stats().streams_total, 2, "it is not sent again");
    check_recovers(client, server, 0).await;
}

#[tokio::test]
async fn rst_after_header() {
    check_reset(FaultServer::start(cases::rst_after_header).await).await;
}

#[tokio::test]
async fn rst_during_data() {
    check_reset(FaultServer::start(cases::rst_during_data).await).await;
}

#[tokio::test]
async fn rst_after_data() {
    check_reset(FaultServer::start(cases::rst_after_data).await).await;
}

#[tokio::test]
async fn ping() {
    let server = FaultServer::start(cases::ping).await;
    let client = client(server.uri());
    within("a call", client.unary(echo())).await.unwrap();
    let acks = |stats: &tests::stats::Stats| stats.frames().filter(|frame| frame.acknowledges(kind::PING)).count();
    assert_eq!(acks(&server.stats()), 3);
    check_clean(&client, server).await;
}

#[tokio::test]
async fn max_streams() {
    let server = FaultServer::start(cases::max_streams).await;
    let client = client(server.uri());
    let mut calls = JoinSet::new();
    for _ in 0..30 {
        let client = client.clone();
        calls.spawn(async move { client.unary(echo()).await });
    }
    for result in within("the calls", calls.join_all()).await {
        result.unwrap();
    }
    let stats = server.stats();
    assert_eq!(
        (stats.streams_peak, stats.connections_total, stats.streams_total),
        (1, 1, 30)
    );
    check_clean(&client, server).await;
}

/// Checks that a message in many small frames arrives.
async fn check_small_frames(server: FaultServer) {
    let client = client(server.uri());
    let script = Script {
        reply_size: 100_000,
        ..Script::default()
    };
    let reply = within("a call", client.unary(scripted(script))).await.unwrap();
    assert_eq!(reply.into_inner().payload, vec![0; 100_000]);
    check_recovers(client, server, 0).await;
}

#[tokio::test]
async fn data_frame_padding() {
    check_small_frames(FaultServer::start(cases::data_frame_padding).await).await;
}

#[tokio::test]
async fn no_df_padding_sanity_test() {
    check_small_frames(FaultServer::start(cases::no_df_padding_sanity_test).await).await;
}
